"""Motion on disk: what goes in comes out; whatever else comes along is refused and runs no code (P3, P16)."""

import io
import json
import pickle
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from styleheat_cli import __version__
from styleheat_cli.errors import InputError
from styleheat_cli.media import motion_file
from styleheat_cli.media.motion_file import motion_fps, motion_notes, read_motion, write_motion
from styleheat_cli.shot import Clip, MotionTrack, Reading, Span

GOOD_NOTES = {"format": "styleheat-motion", "version": "1", "space": "landmark"}


def motion(rows=7, **changes):
    dice = np.random.default_rng(5)
    track = MotionTrack(
        dice.normal(size=(rows, 73)).astype(np.float32), np.arange(rows) / 25, "landmark",
        seen=np.arange(rows) % 3 > 0, identity=dice.normal(size=50).astype(np.float32),
        ease=dice.normal(size=(478, 3)).astype(np.float32), shoulders=dice.normal(size=(rows, 4)).astype(np.float32),
        clip=Clip(Path("böb 1.mp4"), 10, 10, Fraction(30000, 1001), rows, Fraction(1), digest="ab" * 32),
        gaps=(Span(0.04, 0.08, "no face", 1),), cuts=(0.12,),
    )  # fmt: skip
    return track.with_(**changes)


def test_a_motion_comes_back_as_it_was(tmp_path):
    path = tmp_path / "m.safetensors"
    given = motion()
    write_motion(path, given)
    found = read_motion(path)
    assert np.array_equal(found.coeffs, given.coeffs) and found.coeffs.dtype == np.float32
    assert np.array_equal(found.times, given.times) and found.times.dtype == np.float64
    assert np.array_equal(found.seen, given.seen) and found.seen.dtype == bool
    assert np.array_equal(found.identity, given.identity) and np.array_equal(found.ease, given.ease)
    assert np.array_equal(found.shoulders, given.shoulders)
    assert (found.space, found.gaps, found.cuts) == (given.space, given.gaps, given.cuts)


def test_only_what_is_there_is_kept(tmp_path):
    path = tmp_path / "m.safetensors"
    write_motion(path, motion(seen=None, identity=None, clip=None, gaps=(), cuts=()))
    found = read_motion(path)
    assert found.seen is None and found.identity is None and found.gaps == () and motion_fps(path) is None


def test_what_deep3d_read_travels_along(tmp_path):
    given = motion()
    bfm = MotionTrack(given.coeffs + 1, given.times, "bfm")
    write_motion(tmp_path / "m.safetensors", given.with_(reading=Reading(given, bfm)))
    found = read_motion(tmp_path / "m.safetensors")
    assert found.read_by == "deep3d" and found.reading.bfm.space == "bfm"
    assert np.allclose(found.reading.bfm.coeffs, bfm.coeffs) and np.array_equal(found.reading.landmark.coeffs, given.coeffs)
    write_motion(tmp_path / "n.safetensors", given)
    assert read_motion(tmp_path / "n.safetensors").read_by == "landmarks"


def test_the_header_tells_where_it_came_from(tmp_path):
    path = tmp_path / "m.safetensors"
    write_motion(path, motion())
    notes = motion_notes(path)
    assert notes["format"] == "styleheat-motion" and notes["version"] == str(motion_file.VERSION) and notes["styleheat"] == __version__
    assert (notes["source"], notes["fps"], notes["source_digest"]) == ("böb 1.mp4", "30000/1001", "ab" * 32)
    assert motion_fps(path) == Fraction(30000, 1001)


def test_arrays_that_are_views_are_written_whole(tmp_path):
    given = motion(rows=10)
    every_second = given.of_rows(slice(None, None, 2), given.times[::2])
    write_motion(tmp_path / "m.safetensors", every_second)
    assert np.array_equal(read_motion(tmp_path / "m.safetensors").coeffs, given.coeffs[::2])


class Bomb:
    """Tells on itself when it is unpickled."""

    def __reduce__(self):
        return (open, (str(BOMB_TRACE), "w"))


BOMB_TRACE = Path()


def pickled():
    return pickle.dumps(Bomb())


def torch_pickle():
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    return content.getvalue()


def header_bomb():
    return struct.pack("<Q", 1 << 62) + b"{}" * 100


def long_header():
    return struct.pack("<Q", 200_000_000) + b" " * 1000


def deep_header():
    text = b"[" * 100_000 + b"]" * 100_000
    return struct.pack("<Q", len(text)) + text


def huge_tensor():
    header = json.dumps(
        {"__metadata__": GOOD_NOTES, "coeffs": {"dtype": "F32", "shape": [1 << 40, 73], "data_offsets": [0, 8]}}
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


def overlapping_tensors():
    rows = {"dtype": "F32", "shape": [1, 73], "data_offsets": [0, 292]}
    header = json.dumps({"__metadata__": GOOD_NOTES, "coeffs": rows, "times": rows}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(292)


def made(notes=GOOD_NOTES, **arrays):
    good = {"coeffs": np.zeros((3, 73), np.float32), "times": np.arange(3.0)}
    kept = {k: v for k, v in (good | arrays).items() if v is not None}
    return save(kept, metadata=notes)


def holed(value):
    coeffs = np.zeros((3, 73), np.float32)
    coeffs[1, 5] = value
    return coeffs


REFUSED = {
    "pickle": (pickled, "no safetensors file"),
    "torch pickle": (torch_pickle, "no safetensors file"),
    "header bomb": (header_bomb, "no safetensors file"),
    "long header": (long_header, "no safetensors file"),
    "deep header": (deep_header, "header is no JSON"),
    "huge tensor": (huge_tensor, "damaged"),
    "overlapping tensors": (overlapping_tensors, "damaged"),
    "text": (lambda: b"hello, I am a motion", "no safetensors file"),
    "seven bytes": (lambda: b"1234567", "no safetensors file"),
    "cut short": (lambda: made()[:-10], "damaged"),
    "weights": (lambda: save({"w": np.zeros(3, np.float32)}), "holds something else"),
    "no version": (lambda: made({"format": "styleheat-motion"}), "version is None"),
    "odd version": (lambda: made(GOOD_NOTES | {"version": "x"}), "version is 'x'"),
    "version 0": (lambda: made(GOOD_NOTES | {"version": "0"}), "version 0 is not known"),
    "newer": (lambda: made(GOOD_NOTES | {"version": "99"}), "newer styleheat"),
    "space": (lambda: made(GOOD_NOTES | {"space": "flame"}), "its space is 'flame'"),
    "NaN": (lambda: made(coeffs=holed(np.nan)), "coeffs are not all finite"),
    "infinity": (lambda: made(coeffs=holed(np.inf)), "coeffs are not all finite"),
    "NaN time": (lambda: made(times=np.array([0, np.nan, 2])), "times are not all finite"),
    "width": (lambda: made(coeffs=np.zeros((3, 72), np.float32)), r"coeffs are float32 \(3, 72\)"),
    "lengths": (lambda: made(times=np.arange(4.0)), r"coeffs are float32 \(3, 73\)"),
    "flat": (lambda: made(coeffs=np.zeros(219, np.float32)), "coeffs are"),
    "type": (lambda: made(coeffs=np.zeros((3, 73), np.float64)), "coeffs are float64"),
    "empty": (lambda: made(coeffs=np.zeros((0, 73), np.float32), times=np.zeros(0)), r"are float(32|64) \(0,"),
    "no times": (lambda: made(times=None), "it has no times"),
    "time stands still": (lambda: made(times=np.array([0.0, 1.0, 1.0])), "times do not move forward"),
    "stranger": (lambda: made(code=np.zeros(3, np.float32)), "holds 'code'"),
    "seen": (lambda: made(seen=np.zeros(2, np.uint8)), r"seen are uint8 \(2,\)"),
    "gaps": (lambda: made(GOOD_NOTES | {"gaps": '[{"start_s": 1}]'}), "gaps cannot be read"),
    "gaps no list": (lambda: made(GOOD_NOTES | {"gaps": "7"}), "gaps cannot be read"),
    "cuts": (lambda: made(GOOD_NOTES | {"cuts": "[[]]"}), "cuts cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_whatever_is_no_motion_is_refused_in_words(name, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "BOMB_TRACE", tmp_path / "exploded")
    make, words = REFUSED[name]
    path = tmp_path / "m.safetensors"
    path.write_bytes(make())
    with pytest.raises(InputError, match=words) as caught:
        read_motion(path)
    assert "m.safetensors" in str(caught.value) and caught.value.hint
    assert not (tmp_path / "exploded").exists()


def test_the_bomb_would_explode_if_it_were_unpickled(tmp_path, monkeypatch):
    """The test above means something only if this happens."""
    monkeypatch.setitem(globals(), "BOMB_TRACE", tmp_path / "exploded")
    pickle.loads(pickled()).close()  # noqa: S301
    assert (tmp_path / "exploded").exists()


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_motion(tmp_path / "m.safetensors")


def test_older_files_are_brought_up_to_date(tmp_path, monkeypatch):
    """Say version 2 renamed `times`, and this is a program that writes version 2."""
    path = tmp_path / "m.safetensors"
    old = {"coeffs": np.zeros((3, 73), np.float32), "seconds": np.arange(3.0)}
    path.write_bytes(save(old, metadata=GOOD_NOTES))

    def renamed(notes, arrays):
        return notes, {"times" if k == "seconds" else k: v for k, v in arrays.items()}

    monkeypatch.setattr(motion_file, "VERSION", 2)
    monkeypatch.setitem(motion_file.MIGRATIONS, 1, renamed)
    assert np.array_equal(read_motion(path).times, [0, 1, 2])


def test_version_1_is_read_as_it_was_released(tmp_path):
    """A golden file, byte by byte: whatever comes later must still read this."""
    header = json.dumps(
        {
            "__metadata__": {"format": "styleheat-motion", "version": "1", "styleheat": "0.1.0", "space": "landmark",
                             "gaps": '[{"start_s": 0.0, "end_s": 0.04, "why": "no face", "frames": 1}]',
                             "cuts": "[0.04]", "source": "a.mp4", "fps": "25", "source_digest": "00"},
            "coeffs": {"dtype": "F32", "shape": [2, 73], "data_offsets": [16, 600]},
            "seen": {"dtype": "U8", "shape": [2], "data_offsets": [600, 602]},
            "times": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]},
        }
    ).encode()  # fmt: skip
    header += b" " * (-len(header) % 8)
    body = struct.pack("<2d", 0.0, 0.04) + struct.pack("<146f", *range(146)) + b"\x00\x01"
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + body)
    found = read_motion(tmp_path / "m.safetensors")
    assert np.array_equal(found.coeffs, np.arange(146, dtype=np.float32).reshape(2, 73))
    assert (found.seen.tolist(), found.times.tolist()) == ([False, True], [0.0, 0.04])
    assert (found.gaps, found.cuts) == ((Span(0.0, 0.04, "no face", 1),), (0.04,))
    assert motion_fps(tmp_path / "m.safetensors") == 25
