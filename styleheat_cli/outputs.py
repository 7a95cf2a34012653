"""The files that a run writes: the result, the driving clip beside it, the contact sheet; and the record inside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .preflight import ENCODERS, Plan

if TYPE_CHECKING:
    import numpy as np

    from .shot import Clip, Frame, MotionTrack, Shot

NOTE = f"edited with styleheat {__version__}"
RECORD = "styleheat"  # the metadata key that holds the recipe
FRAMES_AHEAD = 4
SHEET_MOMENTS = 6
SHEET_HEIGHT = 256  # px
SWEEP_HEIGHT, SWEEP_ROW = 384, 7  # px, and pictures in a line, of a sweep
NEAR = 0.7  # share of the picture's shorter side under which a head counts as small on a sheet


def takers(plan: Plan, shot: Shot, timeline: Clip, total: int) -> list[Any]:
    """Everything that wants the pictures: the sheet, the comparison, the result. The last is finished first."""
    view = DrivingView(shot, plan.recipe.steps)
    wanting: list[Any] = []
    if plan.recipe.render.sheet:
        wanting.append(Sheet(plan.recipe.render.sheet, view, shot, total, whole=plan.recipe.render.crop))
    if plan.recipe.render.side_by_side:
        wanting.append(Comparison(plan, shot, timeline, view))
    labels = next((step.labels() for step in plan.recipe.steps if step.labels()), ())
    if labels:
        return [*wanting, Sweep(plan, shot, labels)]
    return [*wanting, Film(plan, plan.output, shot, timeline, plan.height, plan.width)]


class Film:
    """The result as a file, with its sound and the record of how it was made."""

    def __init__(self, plan: Plan, path: Path, shot: Shot, timeline: Clip, height: int, width: int):
        from .media.writer import VideoWriter

        render = plan.recipe.render
        self.writer = VideoWriter(
            path, height, width,
            fps=timeline.fps, time_base=timeline.time_base, crf=render.crf, colour=shot.clip.colour,
            codec=None if render.codec == "auto" else ENCODERS[render.codec],
            sound=_sound(plan, shot, timeline), metadata=metadata_of(plan, shot),
        )  # fmt: skip

    def __enter__(self) -> Film:
        self.writer.__enter__()
        return self

    def __exit__(self, *raised: Any) -> bool | None:
        return self.writer.__exit__(*raised)

    def take(self, image: np.ndarray, frame: Frame) -> None:
        self.writer.write(image, frame.pts)


def _sound(plan: Plan, shot: Shot, timeline: Clip) -> Any:
    """The stretch of sound that goes with the pictures, or nothing."""
    from .media.sound import Sound

    if plan.sound is None:
        return None
    begins = float(shot.motion.times[0])
    if plan.voice and plan.sound == plan.voice.path:
        begins = plan.voice.start_s if plan.source.still else begins
    elif plan.sound != plan.source.path and not plan.source.still:
        begins = plan.drivers[0].start_s
    return Sound(plan.sound, begins, begins + length_of(shot.motion, timeline))


class DrivingView:
    """What drives, as pictures: the driving clip on screen at a time of the output, or the source where only a motion drives."""

    def __init__(self, shot: Shot, steps: tuple):
        self.driven = driven = shot.driving is not None and shot.driving.path.is_file()
        self.clip = shot.driving if driven else shot.clip
        self.label = "driving" if driven else "source"
        self.begins = float(shot.motion.times[0])
        if driven and not shot.clip.still:
            self.begins = _first(step.driving_start for step in steps if hasattr(step, "driving_start"))

    def at(self, output_s: float) -> np.ndarray:
        """The picture at a time of the output, (H, W, 3) uint8."""
        from .media.reader import frames

        time_s = 0.0 if self.clip.still else min(self.begins + output_s, float(self.clip.duration_s) - 1e-3)
        with closing(frames(self.clip, time_s)) as found:
            return next(found).image

    def follow(self) -> Iterator[tuple[float, np.ndarray]]:
        """(time of the output, picture) of the whole stretch, streaming."""
        from .media.reader import frames

        for frame in frames(self.clip, self.begins if not self.clip.still else None):
            yield float(frame.time) - self.begins, frame.image


def _first(times: Iterable[float | str]) -> float:
    return next((time for time in times if isinstance(time, float)), 0.0)


class Comparison:
    """The driving clip beside the result, as a file."""

    def __init__(self, plan: Plan, shot: Shot, timeline: Clip, view: DrivingView):
        from .media.ahead import ahead

        self.height = plan.height
        path = next(path for path in plan.outputs if ".side-by-side" in path.name)
        width = self._joined(view.at(0.0), plan.height, plan.width)
        self.film = Film(plan, path, shot, timeline, plan.height, width)
        self.view = ahead(view.follow(), FRAMES_AHEAD)
        self.shown, self.next, self.first = None, None, None
        self.base = timeline.time_base

    def _joined(self, picture: np.ndarray, height: int, width: int) -> int:
        from .media.sheet import GAP

        return 2 * round((picture.shape[1] * height / picture.shape[0] + GAP + width) / 2)

    def __enter__(self) -> Comparison:
        self.film.__enter__()
        return self

    def __exit__(self, *raised: Any) -> bool | None:
        self.view.close()
        return self.film.__exit__(*raised)

    def take(self, image: np.ndarray, frame: Frame) -> None:
        from .media.sheet import side_by_side

        self.first = frame.pts if self.first is None else self.first
        joined = side_by_side([self._on_screen(float((frame.pts - self.first) * self.base)), image], self.height)
        self.film.take(fitted(joined, self.film.writer.size[1]), frame)

    def _on_screen(self, time_s: float) -> np.ndarray:
        """The driving picture shown at a time of the output."""
        while self.shown is None or (self.next is not None and self.next[0] <= time_s + 1e-6):
            self.shown = self.next or next(self.view)
            self.next = next(self.view, None)
        return self.shown[1]


class Sheet:
    """Six moments as one picture: the driving clip above, the result below; a small head is shown near."""

    def __init__(self, path: Path, view: DrivingView, shot: Shot, total: int, whole: bool):
        self.path, self.view = path, view
        self.near = None if whole else head_region(shot)
        self.wanted = {round((moment + 0.5) * total / SHEET_MOMENTS - 0.5) for moment in range(SHEET_MOMENTS)}
        self.rows: tuple[list, list] = ([], [])
        self.count, self.first = 0, None

    def __enter__(self) -> Sheet:
        return self

    def take(self, image: np.ndarray, frame: Frame) -> None:
        self.first = frame.time if self.first is None else self.first
        if self.count in self.wanted:
            above = self.view.at(float(frame.time - self.first))
            self.rows[0].append(shrunk(above if self.view.driven else part_of_picture(above, self.near)))
            self.rows[1].append(shrunk(part_of_picture(image, self.near)))
        self.count += 1

    def __exit__(self, kind: type | None, *raised: Any) -> None:
        if kind is None and self.rows[1]:
            from .media.output import part_of
            from .media.sheet import contact_sheet
            from .media.still import save_image

            sheet = contact_sheet(list(self.rows), [self.view.label, "result"], height=SHEET_HEIGHT)
            with part_of(self.path) as file:
                save_image(file, sheet, self.path.suffix, {"comment": NOTE})


class Sweep:
    """All pictures of the result as one labelled sheet; a small head is shown near."""

    def __init__(self, plan: Plan, shot: Shot, labels: tuple[str, ...]):
        self.plan, self.labels, self.near, self.metadata = plan, labels, head_region(shot), metadata_of(plan, shot)
        self.pictures: list[np.ndarray] = []

    def __enter__(self) -> Sweep:
        return self

    def take(self, image: np.ndarray, frame: Frame) -> None:
        self.pictures.append(shrunk(part_of_picture(image, self.near), SWEEP_HEIGHT))

    def __exit__(self, kind: type | None, *raised: Any) -> None:
        if kind is None:
            from .media.output import part_of
            from .media.sheet import tiled
            from .media.still import save_image

            with part_of(self.plan.output) as file:
                save_image(file, tiled(self.pictures, self.labels, SWEEP_ROW), self.plan.output.suffix, self.metadata)


def head_region(shot: Shot) -> tuple[float, float, float, float] | None:
    """(x0, y0, x1, y1) as shares of the picture round the whole way of a small head; nothing where it fills the picture."""
    import numpy as np

    crop = shot.face.crop.astype(np.float64)  # [T 2 3] frame -> unit square
    if not np.isfinite(crop).all() or (np.abs(np.linalg.det(crop[:, :, :2])) < 1e-12).any():
        return None
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) - crop[:, None, :, 2]  # [T 4 2]
    at = np.linalg.solve(crop[:, None, :, :2], corners[..., None])[..., 0]
    shape = np.array([shot.clip.width, shot.clip.height])
    low, high = np.clip(at.min((0, 1)) / shape, 0, 1), np.clip(at.max((0, 1)) / shape, 0, 1)
    return (*low, *high) if ((high - low) * shape).max() < NEAR * shape.min() else None


def part_of_picture(image: np.ndarray, region: tuple[float, float, float, float] | None) -> np.ndarray:
    """The picture inside a region given in shares of its size; all of it without one."""
    if region is None:
        return image
    height, width = image.shape[:2]
    x0, y0, x1, y1 = region
    return image[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]


def shrunk(image: np.ndarray, height: int = SHEET_HEIGHT) -> np.ndarray:
    """The picture at the height it has on a sheet."""
    return scaled(image, height, max(2, round(image.shape[1] * height / image.shape[0])))


def scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, 3): the picture at this size; itself where it has it."""
    if image.shape[:2] == (height, width):
        return image
    import cv2

    shrinks = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def fitted(image: np.ndarray, width: int) -> np.ndarray:
    """The picture cut or padded on its right to a width."""
    import numpy as np

    missing = width - image.shape[1]
    return np.ascontiguousarray(image[:, :width] if missing <= 0 else np.pad(image, ((0, 0), (0, missing), (0, 0))))


def length_of(motion: MotionTrack, timeline: Clip) -> float:
    """Seconds from the first frame of a motion to the end of its last."""
    return float(motion.times[-1] - motion.times[0]) + 1 / float(timeline.fps)


def metadata_of(plan: Plan, shot: Shot) -> dict[str, str]:
    """What the result says of itself: that it was edited, with what, by which recipe. No folder of this machine is named."""
    record = {
        "styleheat": __version__,
        "recipe": plan.recipe.as_data(names_only=True),
        "weights": {"family": plan.recipe.weights.split("/")[-1], "digest": family_digest(plan)},
        "inputs": {path.name: digest[:16] for path, digest in _digests(plan)},
        "motion_from": shot.motion.read_by,
        **({"lips_from": shot.lips_from} if shot.said else {}),
    }
    return {"comment": NOTE, RECORD: json.dumps(record, ensure_ascii=True, separators=(",", ":"))}


def family_digest(plan: Plan) -> str:
    """One digest of all weights that the run could use."""
    rows = sorted(f"{component.role} {component.digest()}" for component in plan.components)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] if rows else ""


def _digests(plan: Plan) -> Iterator[tuple[Path, str]]:
    """Every file that the recipe reads, and the SHA-256 of its content."""
    from .media.reader import digest

    known = {plan.source.path: plan.source.digest} | {d.path: d.clip.digest for d in plan.drivers if d.clip}
    for path in plan.recipe.inputs():
        yield path, known.get(path) or digest(path)
