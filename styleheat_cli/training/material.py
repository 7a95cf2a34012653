"""Training material: a folder of clips and portraits, whose faces are found once and remembered.

Any folder of videos and photos will do. Where it holds an `index.json` with a list of `files` (each with `file` and
`identity`), people are told apart by it, otherwise every file is a person of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from ..errors import FaceError, InputError
from ..face.align import crop_image, crops
from ..face.landmarks import Landmarker
from ..face.track import track
from ..media.reader import frames, probe
from ..progress import Event, Progress, silent
from ..shot import Clip

log = logging.getLogger(__name__)

CLIPS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
PHOTOS = {".jpg", ".jpeg", ".png", ".webp"}
LEFT_OUT = "_full"  # clips so marked show a whole scene whose crop is there too


@dataclass(frozen=True)
class Item:
    """One file of the material: its name inside the folder, whose face, where its landmarks are kept."""

    path: Path
    name: str
    person: str
    still: bool


@dataclass(frozen=True)
class Tracked:
    """An item with its face: landmarks (T, 478, 3) float32 px (rows not seen are NaN), crop (T, 2, 3), times (T,)."""

    item: Item
    landmarks: np.ndarray
    crop: np.ndarray
    times: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        return np.isfinite(self.landmarks).all((1, 2))

    @property
    def side(self) -> float:
        """Median side of the crop square in pixels of the frame."""
        return float(np.median(1 / np.sqrt(np.linalg.det(self.crop[:, :, :2].astype(np.float64)))))

    def pictures(self, wanted: set[int], side: int) -> dict[int, np.ndarray]:
        """(side, side, 3) uint8 crops of some rows."""
        found = {}
        for frame in frames(self.clip()):
            if frame.index in wanted:
                found[frame.index] = crop_image(frame.image, self.crop[frame.index], side)
        return found

    def clip(self) -> Clip:
        return probe(self.item.path)


def material(folder: Path, held_out: Path | None = None) -> list[Item]:
    """What a folder holds, less what a YAML file with lists of names (`clips`, `portraits`, …) keeps for evaluation."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", hint="pass --data with a folder of clips and portraits")
    people, kept = _people(folder), _names(held_out)
    items = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in CLIPS | PHOTOS):
        name = path.relative_to(folder).as_posix()
        if name in kept or path.name in kept or LEFT_OUT in path.stem:
            continue
        items.append(Item(path, name, people.get(name, name), path.suffix.lower() in PHOTOS))
    if not items:
        raise InputError(f"{folder} holds no clips and no portraits", hint="pass --data with a folder that does")
    return items


def _people(folder: Path) -> dict[str, str]:
    index = folder / "index.json"
    if not index.is_file():
        return {}
    rows = json.loads(index.read_text("utf-8"))["files"]
    return {row["file"]: row["identity"] for row in rows if row.get("identity")}


def _names(held_out: Path | None) -> set[str]:
    if held_out is None:
        return set()
    content = yaml.safe_load(Path(held_out).read_text("utf-8"))
    return {str(name) for names in content.values() if isinstance(names, list) for name in names}


def tracked(items: list[Item], work: Path, progress: Progress = silent) -> Iterator[Tracked]:
    """The items in which a face is found; what was found is kept in `work` and read from there the next time."""
    work.mkdir(parents=True, exist_ok=True)
    with Landmarker() as landmarker:
        for done, item in enumerate(items, start=1):
            kept = work / f"{hashlib.sha256(item.name.encode()).hexdigest()[:16]}.npz"
            if not kept.exists():
                _keep(kept, *_find(item, landmarker))
            with np.load(kept) as arrays:
                found = Tracked(item, arrays["landmarks"], arrays["crop"], arrays["times"])
            progress(Event("landmarks", done, len(items), "files"))
            if len(found.times):
                yield found


def _keep(path: Path, landmarks: np.ndarray, crop: np.ndarray, times: np.ndarray) -> None:
    part = path.with_suffix(".part.npz")
    np.savez(part, landmarks=landmarks.astype(np.float32), crop=crop.astype(np.float32), times=times)
    part.replace(path)


def _find(item: Item, landmarker: Landmarker) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    clip = probe(item.path)
    if item.still:
        faces = landmarker.find(next(iter(frames(clip))).image)
        if not faces:
            return _nothing(item)
        largest = max(faces, key=lambda face: np.ptp(face[:, 0]) * np.ptp(face[:, 1]))[None]
        return largest, crops(largest, np.zeros(1)), np.zeros(1)
    try:
        face = track(frames(clip), height=clip.height, width=clip.width, file=item.path)
    except FaceError:
        return _nothing(item)
    landmarks = np.array(face.landmarks[:], np.float32)
    landmarks[~np.asarray(face.seen)] = np.nan
    return landmarks, face.crop, face.times


def _nothing(item: Item) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    log.warning("no face in %s: left out", item.name)
    return np.zeros((0, 478, 3)), np.zeros((0, 2, 3)), np.zeros(0)
