"""What is evaluated: cases, found in a recipe, in a list, in folders of cases, or in a folder of clips and photos."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

CLIPS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
PHOTOS = (".png", ".jpg", ".jpeg", ".webp")
SOUNDS = (".wav", ".flac", ".m4a", ".mp3", ".ogg")
LIST = "pairs.csv"
ROLES = ("source", "driving", "audio", "reference")


@dataclass(frozen=True)
class Case:
    """One thing to make and judge.

    source: photo or clip to edit; nothing where it is the driving clip's first frame. driving: clip to follow. audio: speech
    to speak. reference: the real frames of the same moments. An edited clip has its own motion as its driving clip.
    """

    name: str
    source: Path | None = None
    driving: Path | None = None
    audio: Path | None = None
    reference: Path | None = None


def cases_of(
    task: str,
    data: Path,
    *,
    rows: Sequence[Mapping[str, str]] = (),
    clips: Sequence[str] = (),
    portraits: Sequence[str] = (),
) -> list[Case]:
    """The cases of a task.

    Looked for in this order: the recipe's own rows; `pairs.csv` in the folder; the recipe's clips and portraits; folders
    with a case each (`source.*`, `driving.*`, `audio.*`, `before.*`); all clips and photos of the folder.

    Raises:
        InputError: the folder is missing or has nothing for this task, or a file that is named is not there.
    """
    if not data.is_dir():
        raise InputError(f"no such folder: {data}", hint="--data names the folder that the clips lie in")
    if rows:
        found = [_case(data, row, f"row {n}") for n, row in enumerate(rows, start=1)]
    elif (data / LIST).is_file():
        found = _listed(data / LIST)
    elif clips:
        found = _paired(task, [_there(data, name) for name in clips], [_there(data, name) for name in portraits])
    else:
        found = [case for folder in sorted(data.iterdir()) if folder.is_dir() and (case := _in_folder(folder, task))]
        found = found or _paired(task, _files(data, CLIPS), _files(data, PHOTOS))
    suited = [case for case in found if _suits(case, task)]
    if not suited:
        raise InputError(
            f"{data} holds nothing for {task}", hint=f"list source, driving, audio and reference in {LIST}"
        )
    return _named_apart(suited)


def _suits(case: Case, task: str) -> bool:
    if task == "dub":
        return case.audio is not None and (case.source is not None or case.driving is not None)
    if task == "edit":
        return case.source is not None
    return case.driving is not None


def _paired(task: str, clips: list[Path], portraits: list[Path]) -> list[Case]:
    """Each clip drives its own first frame (same identity) or the next photo (cross identity), gives its first frame its pose,
    upper face and sound (dub), or keeps its own motion while it is edited."""
    if task == "cross-id":
        return [
            Case(f"{portraits[n % len(portraits)].stem}-{clip.stem}", portraits[n % len(portraits)], clip)
            for n, clip in enumerate(clips)
            if portraits
        ]
    if task == "same-id":
        return [Case(clip.stem, None, clip, reference=clip) for clip in clips]
    if task == "edit":
        return [Case(clip.stem, clip, clip) for clip in clips]
    return [Case(clip.stem, None, clip, audio=clip, reference=clip) for clip in clips]


def _files(folder: Path, endings: Iterable[str]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)


def _there(data: Path, name: str) -> Path:
    path = data / name
    if not path.is_file():
        raise InputError(f"no such file: {path}", hint="the names of the recipe are relative to --data")
    return path


def _case(folder: Path, row: Mapping[str, str], where: str) -> Case:
    unknown = [key for key in row if key not in (*ROLES, "name")]
    if unknown:
        raise InputError(f"{where}: {unknown[0]} is no role", hint="roles: name, " + ", ".join(ROLES))
    files = {role: _there(folder, row[role]) for role in ROLES if row.get(role)}
    if not files:
        raise InputError(f"{where} names no file", hint="give source, driving, audio or reference")
    name = row.get("name") or "-".join(dict.fromkeys(files[role].stem for role in ROLES[:3] if role in files))
    return Case(name, **files)


def _listed(path: Path) -> list[Case]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [
            _case(path.parent, row, f"{path.name}:{line}") for line, row in enumerate(csv.DictReader(file), start=2)
        ]


def _in_folder(folder: Path, task: str) -> Case | None:
    """The case of a folder with files of these names; `meta.json` may say `same_identity`."""
    files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in (*CLIPS, *PHOTOS, *SOUNDS)}
    clips = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in CLIPS}
    source = clips.get("source") or clips.get("before") or files.get("source")
    driving, audio = clips.get("driving"), files.get("audio")
    if (
        source is None
        or (task in ("same-id", "cross-id")) != (driving is not None)
        or (task == "dub") != (audio is not None)
    ):
        return None
    same = _meta(folder).get("same_identity")
    if (task == "same-id" and same is False) or (task == "cross-id" and same is True):
        return None
    reference = driving if task == "same-id" else None
    return Case(folder.name, source, source if task == "edit" else driving, audio, reference)


def _meta(folder: Path) -> dict:
    path = folder / "meta.json"
    try:
        content = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", hint="mend or remove it") from None
    return content if isinstance(content, dict) else {}


def _named_apart(cases: list[Case]) -> list[Case]:
    """The same cases, names that come twice numbered."""
    from dataclasses import replace

    seen: dict[str, int] = {}
    apart = []
    for case in cases:
        seen[case.name] = seen.get(case.name, 0) + 1
        apart.append(case if seen[case.name] == 1 else replace(case, name=f"{case.name}-{seen[case.name]}"))
    return apart


def outputs_of(name: str, folder: Path, cases: Iterable[Case]) -> Iterator[tuple[Case, Path]]:
    """Finished results of another tool: `CASE.*` in the folder, or `NAME.*` in its folder `CASE`; cases without are left out."""
    for case in cases:
        places = (folder.glob(f"{case.name}.*"), (folder / case.name).glob(f"{name}.*"))
        found = sorted(path for place in places for path in place if path.suffix.lower() in (*CLIPS, *PHOTOS))
        if found:
            yield case, found[0]
