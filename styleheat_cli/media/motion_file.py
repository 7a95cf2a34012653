"""Motion on disk: a MotionTrack as safetensors, whose header says what it is. Reading trusts nothing."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .. import __version__
from ..errors import InputError
from ..shot import COEFFICIENTS, POINTS, MotionTrack, Reading, Span
from .container import check_readable
from .output import part_of

FORMAT = "styleheat-motion"
VERSION = 2
SPACES = ("landmark", "bfm")
LONGEST_HEADER = 1 << 20  # bytes; ours has a few hundred
LONGEST_FILE = 1 << 30  # bytes: ten hours at 50 fps
HINT = "make it anew with: styleheat motion VIDEO -o MOTION.safetensors"

Migration = Callable[[dict[str, str], dict[str, np.ndarray]], tuple[dict[str, str], dict[str, np.ndarray]]]
MIGRATIONS: dict[int, Migration] = {1: lambda notes, arrays: (notes, arrays)}
"""From a version of the file to the next one: each takes and gives (notes, arrays). What 2 adds (`ease`, `shoulders`) 1 had not."""


def write_motion(path: Path | str, motion: MotionTrack) -> None:
    """Saves a motion; its source clip is kept by name, rate and digest."""
    arrays = {"coeffs": motion.coeffs.astype(np.float32), "times": motion.times.astype(np.float64)}
    if motion.seen is not None:
        arrays["seen"] = motion.seen.astype(np.uint8)
    if motion.identity is not None:
        arrays["identity"] = motion.identity.astype(np.float32)
    if motion.ease is not None:
        arrays["ease"] = motion.ease.astype(np.float32)
    if motion.calm is not None:
        arrays["calm"] = motion.calm.astype(np.float32)
    if motion.shoulders is not None:
        arrays["shoulders"] = motion.shoulders.astype(np.float32)
    if motion.reading is not None:
        arrays["deep3d"] = motion.reading.bfm.at(motion.times)
    content = save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, metadata=_notes_of(motion))
    with part_of(path) as part:
        part.write_bytes(content)


def _notes_of(motion: MotionTrack) -> dict[str, str]:
    clip = motion.clip
    about = {
        "gaps": json.dumps([asdict(gap) for gap in motion.gaps]),
        "cuts": json.dumps([float(cut) for cut in motion.cuts]),
    }
    if clip is not None:
        about |= {"source": clip.path.name, "fps": str(clip.fps), "source_digest": clip.digest}
    return {"format": FORMAT, "version": str(VERSION), "styleheat": __version__, "space": motion.space, **about}


def read_motion(path: Path | str) -> MotionTrack:
    """Loads a motion. Raises InputError for whatever is not exactly one."""
    path = Path(path)
    notes, arrays = _migrated(path, *_content(path))
    if notes.get("space") not in SPACES:
        raise _refusal(path, f"its space is {notes.get('space')!r}, not one of {', '.join(SPACES)}")
    _check_arrays(path, arrays)
    motion = MotionTrack(
        arrays["coeffs"], arrays["times"], notes["space"],
        seen=arrays["seen"].astype(bool) if "seen" in arrays else None,
        identity=arrays.get("identity"), ease=arrays.get("ease"), calm=arrays.get("calm"), shoulders=arrays.get("shoulders"),
        gaps=_gaps(path, notes), cuts=_cuts(path, notes),
    )  # fmt: skip
    if "deep3d" not in arrays:
        return motion
    return motion.with_(reading=Reading(motion, MotionTrack(arrays["deep3d"], arrays["times"], "bfm")))


def motion_notes(path: Path | str) -> dict[str, str]:
    """What a motion file says of itself: format, version, space, source, fps."""
    return _migrated(Path(path), *_content(Path(path)))[0]


def _content(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """(notes, arrays) of a safetensors file that is small enough and says that it holds a motion."""
    check_readable(path)
    if path.stat().st_size > LONGEST_FILE:
        raise _refusal(path, "it is larger than 1 GiB")
    content = path.read_bytes()
    notes = _notes(path, content)
    try:
        return notes, load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _refusal(path, f"it is damaged: {error}") from None


def _notes(path: Path, content: bytes) -> dict[str, str]:
    length = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if not 2 <= length <= min(LONGEST_HEADER, len(content) - 8):
        raise _refusal(path, "it is no safetensors file")
    try:
        notes = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except (ValueError, AttributeError, RecursionError):
        raise _refusal(path, "its header is no JSON") from None
    if not isinstance(notes, dict) or notes.get("format") != FORMAT:
        raise _refusal(path, "it holds something else (weights?)")
    return notes


def _migrated(path: Path, notes: dict, arrays: dict) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The content as the present version has it."""
    try:
        version = int(notes.get("version", ""))
    except ValueError:
        raise _refusal(path, f"its version is {notes.get('version')!r}") from None
    if version > VERSION:
        raise InputError(
            f"{path.name} was made by a newer styleheat (motion version {version})", file=path, hint="update styleheat"
        )
    while version < VERSION:
        if version not in MIGRATIONS:
            raise _refusal(path, f"its version {version} is not known")
        notes, arrays = MIGRATIONS[version](notes, arrays)
        version += 1
    return notes, arrays


def _check_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    missing = {"coeffs", "times"} - set(arrays)
    if missing:
        raise _refusal(path, f"it has no {' and no '.join(sorted(missing))}")
    rows = len(arrays["times"]) if arrays["times"].ndim == 1 else 0
    numbers = (rows, COEFFICIENTS)
    expected = {
        "coeffs": numbers, "deep3d": numbers, "times": (rows,), "seen": (rows,), "shoulders": (rows, 4), "ease": (POINTS, 3), "calm": (3,),
    }  # fmt: skip
    types = dict.fromkeys(("coeffs", "deep3d", "identity", "ease", "calm", "shoulders"), np.float32) | {"times": np.float64, "seen": np.uint8}
    for name, array in arrays.items():
        if name not in types:
            raise _refusal(path, f"it holds {name!r}, which is no part of a motion")
        if rows == 0 or array.shape != expected.get(name, array.shape) or array.dtype != types[name]:
            raise _refusal(path, f"its {name} are {array.dtype} {array.shape}")
        if not np.isfinite(array).all():
            raise _refusal(path, f"its {name} are not all finite numbers")
    if (np.diff(arrays["times"]) <= 0).any():
        raise _refusal(path, "its times do not move forward")


def _gaps(path: Path, notes: dict[str, str]) -> tuple[Span, ...]:
    try:
        return tuple(
            Span(float(g["start_s"]), float(g["end_s"]), str(g["why"]), int(g["frames"]))
            for g in json.loads(notes.get("gaps", "[]"))
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _refusal(path, "its gaps cannot be read") from None


def _cuts(path: Path, notes: dict[str, str]) -> tuple[float, ...]:
    try:
        return tuple(float(cut) for cut in json.loads(notes.get("cuts", "[]")))
    except (ValueError, TypeError, RecursionError):
        raise _refusal(path, "its cuts cannot be read") from None


def motion_fps(path: Path | str) -> Fraction | None:
    """The rate of the clip that a motion file was made from, where it says."""
    try:
        return Fraction(motion_notes(path).get("fps", ""))
    except (ValueError, ZeroDivisionError):
        return None


def _refusal(path: Path, why: str) -> InputError:
    return InputError(f"{path.name} is no motion file: {why}", file=path, hint=HINT)
