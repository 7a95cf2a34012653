"""Evaluate: run an operation over a set of clips, measure what it made, and lay it beside other tools and papers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..errors import InputError, PartialError, RecipeError
from ..progress import Progress, silent
from .operation import FilePath, Flag, Task, catalogue, operation

if TYPE_CHECKING:
    from ..engine import Engine
    from ..metrics.cases import Case
    from ..metrics.evaluation import Bench

TaskName = Literal["inversion", "same-id", "cross-id", "dub", "edit", "edit-3dmm", "ablation"]
STEPS: Mapping[str, dict[str, Any]] = {
    "same-id": {"op": "reenact", "anchor": 0.0, "pose_limit": 90.0, "travel_limit": 5.0},
    "cross-id": {"op": "reenact"},
    "dub": {"op": "dub", "anchor": 0.0, "fit": "trim"},
    "edit": {"op": "edit", "direction": "age"},
}
"""What each task does unless the recipe says otherwise. The same person's first frame is where the driver is at 0 s."""
RENDER: Mapping[str, dict[str, Any]] = {
    "same-id": {"crf": 12},
    "cross-id": {"crf": 0},
    "dub": {"crf": 12},
    "edit": {"crf": 12},
}
"""Near lossless, so that it is not the codec that is judged; lossless where the background is."""
REGION = {"same-id": "face", "cross-id": "frame", "dub": "face", "edit": "frame"}
SHEET_CASES = 8
ABLATIONS = ("calibration", "detail", "smoothing")
ABLATED = 4  # one clip in so many shows what a part is good for
SILENCE_S = 60.0


@operation
class Evaluate(Task):
    """Run an operation over a set of clips, measure the results, and print them beside other tools and the papers' tables."""

    example: ClassVar[str] = "styleheat evaluate recipes/evaluate/same-id.yaml --data clips/"

    kind: Literal["evaluate"] = "evaluate"
    tasks: tuple[TaskName, ...] = ("same-id",)
    """What is evaluated: inversion of portraits, reenactment of the same or another person, dubbing, attribute edits (of
    portraits where any are named, else of clips), turns and axes by number (edit-3dmm), and same-identity reenactment without
    calibration, detail or smoothing (ablation)."""
    data: Annotated[FilePath | None, Flag(unit="folder")] = None
    """Folder with the clips and photos."""
    clips: tuple[str, ...] = ()
    """Names of the clips in that folder; all that are there where none is named."""
    portraits: tuple[str, ...] = ()
    """Names of the photos in that folder."""
    pairs: tuple[dict[str, str], ...] = ()
    """Sources and drivers that belong together: tables of source, driving, audio, reference and name."""
    kept_out: tuple[str, ...] = ()
    """Further files that no training may see, although nothing is measured on them here."""
    identities: tuple[str, ...] = ()
    """Who is on all these files, by the names of the data's index."""
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Options of each task's operation, by task."""
    render: dict[str, Any] = Field(default_factory=dict)
    """How our results are written, where it is not near lossless as usual: as finished results of other tools were, to be fair."""
    seconds: Annotated[float | None, Field(gt=0), Flag(unit="seconds")] = None
    """Only the beginning of each clip, so long."""
    only: Annotated[tuple[str, ...], Flag(unit="metric")] = ()
    """Measure only this metric; may be given many times."""
    outputs: Annotated[tuple[str, ...], Flag(unit="name=folder")] = ()
    """Finished results of another tool, one file a case, or CASE/NAME.*; NAME alone lies in the data. May be given many times."""
    ours: bool = True
    """Make and measure our own results; else only those of other tools."""
    output_dir: Annotated[FilePath, Flag(unit="folder")] = Path("out/evaluate")
    """Where results, measurements and tables go; a second run goes on where the first stopped."""
    weights: str = "default"
    """Family of weights: default, styleheat, or the path of a manifest."""
    seed: int = 0
    """Where randomness starts."""

    def run(self, engine: Engine, progress: Progress = silent) -> dict[str, Any]:
        """All tasks, as JSON data; also written to `results.json` in the output folder, and to look at, to `report.html`.

        Raises:
            PartialError: some cases failed; the others are measured and written.
        """
        from ..metrics.evaluation import commit, write_json
        from ..metrics.page import write_page
        from ..metrics.report import provenance

        self._check()
        ours = engine if self.ours else None
        found = {task: self._task(task, ours, progress) for task in self.tasks}
        content = {
            **provenance(), "commit": commit(), "data": self._folder().name, "weights": self.weights, "tasks": found,
        }  # fmt: skip
        write_json(self.output_dir / "results.json", content)
        write_page(self.output_dir, content)
        return content

    def check_failures(self, content: Mapping[str, Any]) -> None:
        """Raises a PartialError where cases failed."""
        failed = [case for task in content["tasks"].values() for case in task["failed"]]
        if failed:
            raise PartialError(f"{len(failed)} cases failed: {', '.join(failed[:5])}",
                               hint=f"{self.output_dir / 'results.json'} says why; the same command tries them again")  # fmt: skip

    def _check(self) -> None:
        """What can be known to be wrong before anything is loaded."""
        from ..metrics.compare import needed_names

        needed_names(self.only)
        self._folder()
        for task in self.tasks:
            op = self._step(task).get("op")
            if self.ours and op and op not in catalogue:
                raise RecipeError(f"there is no operation {op} to evaluate", hint="--no-ours measures --outputs only")
        for name, folder in self._others().items():
            self._check_outputs(name, folder)

    def _check_outputs(self, name: str, folder: Path) -> None:
        from ..metrics.cases import outputs_of

        if not folder.is_dir():
            raise InputError(f"no such folder: {folder}", hint="--outputs takes NAME=FOLDER")
        with_cases = [task for task in self.tasks if task in REGION and not (task == "edit" and self.portraits)]
        if not any(True for task in with_cases for _ in outputs_of(name, folder, self._cases(task))):
            raise InputError(f"{folder} holds no result of {name} for any case",
                             hint=f"results are called CASE.mp4, or CASE/{name}.mp4")  # fmt: skip

    def _cases(self, task: str) -> list[Case]:
        from ..metrics.cases import cases_of

        rows = self.pairs if task != "same-id" else ()
        return cases_of(task, self._folder(), rows=rows, clips=self.clips, portraits=self.portraits)

    def _folder(self) -> Path:
        if self.data is None:
            raise RecipeError("the recipe names no data", hint="--data FOLDER: the folder that the clips lie in")
        return self.data

    def _others(self) -> dict[str, Path]:
        named = {}
        for given in self.outputs:
            name, equals, folder = given.partition("=")
            if not name or (equals and not folder):
                raise RecipeError(f"--outputs {given}: not NAME=FOLDER", hint="--outputs FOMM=results/fomm")
            named[name] = Path(folder).expanduser() if folder else self._folder()
        return named

    def _step(self, task: str) -> dict[str, Any]:
        """The task's step, without the files."""
        return {**STEPS.get(task, {}), **self.options.get(task, {})}

    def _task(self, task: str, engine: Engine | None, progress: Progress) -> dict[str, Any]:
        name = f"styleheat ({self.weights})"
        if task == "inversion":
            return self._inversion(engine, name, progress)
        if task == "edit-3dmm":
            return self._asked(engine, name, progress)
        if task == "ablation":
            return self._ablated(engine, name, progress)
        if task == "edit" and self.portraits:
            return self._edited(engine, name, progress)
        from ..metrics.evaluation import evaluate

        cases = self._cases(task)
        bench = self._bench(task, engine, progress)
        make = (lambda *files: self._make(task, engine, progress, *files)) if engine else None
        beside = self._controls(cases) if task == "dub" else {}
        found = evaluate(task, cases, bench, ours=name, make=make, others=self._others(), beside=beside)
        if engine:
            self._sheet(cases, bench)
        return found

    def _ablated(self, engine: Engine | None, name: str, progress: Progress) -> dict[str, Any]:
        """Some of the same-identity cases with everything, and without one part after the other."""
        from dataclasses import replace
        from functools import partial

        from ..engine import Engine
        from ..metrics.cases import cases_of
        from ..metrics.evaluation import evaluate, key_of

        cases = cases_of("same-id", self._folder(), rows=(), clips=self.clips, portraits=self.portraits)[::ABLATED]
        found: dict[str, Any] = {"cases": len(cases), "region": REGION["same-id"], "methods": {}, "failed": {}}
        for part in ("", *ABLATIONS) if engine else ():
            less = Engine(self.weights, engine.wanted_device, self.seed, without=[part])
            step = {**self._step("same-id"), **({"smooth": 0.0} if part == "smoothing" else {})}
            bench = self._bench("same-id", less, progress)
            bench = replace(bench, folder=self.output_dir / "ablation" / (part or "whole"), key=key_of(bench.key, part))
            row = f"without {part}" if part else name
            make = partial(self._make, "same-id", less, progress, step=step)
            made = evaluate("same-id", cases, bench, ours=row, make=make, others={})
            found["methods"] |= {row: made["methods"][row]} if row in made["methods"] else {}
            found["failed"] |= made["failed"]
        return found

    def _controls(self, cases: list[Case]) -> dict[str, list[Case]]:
        """What dubbing is held against: the same cases in silence, and with the speech of the next one's speaker."""
        from dataclasses import replace

        from ..media.audio import write_silence

        known = [case for case in cases if case.reference is not None]
        if not known:
            return {}
        silence = self.output_dir / "dub" / "silence.wav"
        write_silence(silence, SILENCE_S)
        turned = [*known[1:], known[0]]
        controls = {"silence": [replace(case, audio=silence) for case in known]}
        if len(known) > 1:
            another = [replace(case, audio=other.audio) for case, other in zip(known, turned, strict=True)]
            controls["another's speech"] = another
        return controls

    def _bench(self, task: str, engine: Engine | None, progress: Progress) -> Bench:
        from ..metrics.evaluation import Bench, code_digest, key_of
        from ..metrics.moments import How

        weights = [component.digest() for component in engine.family.components.values()] if engine else []
        code = code_digest("engine", "face", "media", "networks", "ops")
        key = key_of(self._step(task), RENDER[task], self.render, self.seconds, self.weights, self.seed, weights, code)
        return Bench(self.output_dir / task, How(self.only, REGION[task], until_s=self.seconds), key, progress=progress)

    def _make(
        self, task: str, engine: Engine, progress: Progress, case: Case, source: Path, output: Path,
        step: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Our result of a case: a recipe of one step (the task's own, unless another is given), run."""
        from .. import execute
        from ..recipe import Where, build

        follows = task in ("same-id", "cross-id", "dub")
        files = {"driving": case.driving if follows else None, "audio": case.audio if task == "dub" else None}
        step = {**(step or self._step(task)), **{role: str(path) for role, path in files.items() if path is not None}}
        end = {} if self.seconds is None else {"end": self.seconds}
        content = {
            "source": str(source), "steps": [step], "render": {**RENDER[task], **self.render, "audio_from": "none", **end},
            "output": str(output), "weights": self.weights, "seed": self.seed,
        }  # fmt: skip
        recipe = build(content, where=Where(f"evaluate {task}", {}, frozenset()))
        execute.run(recipe, engine, progress, overwrite=True)

    def _inversion(self, engine: Engine | None, name: str, progress: Progress) -> dict[str, Any]:
        from ..metrics.inversion import inversion

        photos = self._photos()
        if engine is None:
            return {"cases": 0, "region": "head", "methods": {}, "failed": {}}
        return inversion(photos, engine.reconstruct, name, progress)

    def _photos(self) -> list[Path]:
        """The portraits named, or all photos of the folder."""
        from ..metrics.cases import PHOTOS

        return [self._folder() / name for name in self.portraits] or sorted(
            path for path in self._folder().rglob("*") if path.suffix.lower() in PHOTOS
        )

    def _edited(self, engine: Engine | None, name: str, progress: Progress) -> dict[str, Any]:
        """Every portrait along every direction, at rising strengths."""
        from ..metrics.editing import editing
        from ..metrics.sheets import write_rows
        from .edit_attribute import performed, swept

        shown: dict[str, list[Any]] = {}

        def perform(path: Path, looks: Any) -> Any:
            for picture in performed(engine, path, looks):
                if path.name in shown or len(shown) < SHEET_CASES:
                    shown.setdefault(path.name, []).append(picture)
                yield picture

        if engine is None:
            return {"cases": 0, "region": "head", "methods": {}, "failed": {}}
        found = editing(self._photos(), swept(), perform, engine.morphable, engine.appearance, name, progress)
        write_rows(self.output_dir / "edit" / "sheet.png", shown)
        return found

    def _asked(self, engine: Engine | None, name: str, progress: Progress) -> dict[str, Any]:
        """Turns and axes by number, asked of every portrait and measured on the results."""
        from ..metrics.asked import asked
        from ..metrics.sheets import write_rows
        from .edit_3dmm import bounds, performed

        shown: dict[str, list[Any]] = {}

        def perform(path: Path, looks: Any) -> Any:
            pictures = list(performed(engine, path, looks))
            if len(shown) < SHEET_CASES:
                shown[path.name] = pictures
            return pictures

        if engine is None:
            return {"cases": 0, "region": "head", "methods": {}, "failed": {}}
        found = asked(self._photos(), bounds(), perform, name, progress)
        write_rows(self.output_dir / "edit-3dmm" / "sheet.png", shown)
        return found

    def _sheet(self, cases: list[Case], bench: Bench) -> None:
        """One picture of the first cases: what drives, what the other tools made, what we made."""
        from ..metrics.evaluation import outputs_of, source_of
        from ..metrics.sheets import write_sheet

        shown = []
        for case in cases:
            made = bench.folder / "ours" / f"{case.name}.mp4"
            if made.is_file() and len(shown) < SHEET_CASES:
                others = {name: path for name, folder in self._others().items() for _, path in outputs_of(name, folder, [case])}
                drives = {case.name: case.driving} if case.driving else {}
                shown.append((source_of(case, bench), {**drives, **others, "ours": made}))
        if shown:
            write_sheet(bench.folder / "sheet.png", shown)

