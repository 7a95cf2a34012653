"""Clips against clips: alignment by time, sizes, missing faces and sound, on a drifting portrait."""

import csv
import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.errors import FaceError, InputError, RecipeError
from styleheat_cli.metrics.compare import compare
from styleheat_cli.metrics.measure import measure
from styleheat_cli.metrics.moments import How, Pair
from styleheat_cli.metrics.pairs import pairs_of
from tests.synthetic import corners, face_frames, photo, tone, write_clip

LOSSLESS = {"options": {"crf": "0"}, "pixel_format": "yuv444p"}
PLAIN = ("psnr", "ssim", "f-lmd", "m-lmd", "faces")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of the drifting portrait: `real` (25 frames/s, 1.2 s), `fast` (50), `short`, `large`, `wide`, `blank`."""
    folder = tmp_path_factory.mktemp("clips")
    pictures = face_frames(30)
    write_clip(folder / "real.mp4", pictures, sound=tone(1.2), **LOSSLESS)
    write_clip(folder / "same.mp4", pictures, **LOSSLESS)
    write_clip(folder / "fast.mp4", [p for p in pictures for _ in range(2)], fps=Fraction(50), **LOSSLESS)
    write_clip(folder / "short.mp4", pictures[:20], **LOSSLESS)
    write_clip(folder / "large.mp4", [p.repeat(2, 0).repeat(2, 1) for p in pictures], **LOSSLESS)
    write_clip(folder / "wide.mp4", [np.concatenate([p, p[:, :64]], 1) for p in pictures], **LOSSLESS)
    write_clip(folder / "blank.mp4", [corners(256, 256)] * 10, **LOSSLESS)
    photo(folder / "first.png", pictures[0])
    return folder


def values(found):
    return {reading.name.split("[")[0]: reading for reading in found.readings}


def test_a_clip_against_itself_is_perfect(folder):
    found = compare(Pair(folder / "same.mp4", folder / "real.mp4"))
    read = values(found)
    assert found.frames == 30 and not found.notes
    assert read["psnr"].value == 100 and read["ssim"].value == pytest.approx(1)
    assert read["f-lmd"].value == read["m-lmd"].value == read["aed"].value == 0
    assert read["sharpness"].value == read["shake"].value == pytest.approx(1)
    assert read["cpbd"].value == read["cpbd"].real
    assert all(reading.samples > 0 for reading in found.readings if reading.value is not None)


def test_what_cannot_be_measured_says_what_it_needs(folder):
    read = values(compare(Pair(folder / "same.mp4")))
    assert read["psnr"].value is None and "--reference" in read["psnr"].why
    assert read["shake"].value is None and "--driving" in read["shake"].why
    assert read["background"].value is None and "--source" in read["background"].why
    assert read["voice"].value is None and "sound" in read["voice"].why
    assert read["cpbd"].value is not None and read["jitter"].value is not None


def test_an_absent_judge_is_named_with_the_command_that_brings_it(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    read = values(compare(Pair(folder / "same.mp4", folder / "real.mp4"), How(("fid", "csim", "lpips-alex"))))
    for name, role in (("fid", "inception"), ("csim", "identity"), ("lpips-alex", "perceptual-alex")):
        assert read[name].value is None
        assert role in read[name].why and "checkpoints fetch judges" in read[name].why


def test_frames_are_aligned_by_time_not_by_number(folder):
    found = compare(Pair(folder / "fast.mp4", folder / "real.mp4"), How(PLAIN))
    assert found.frames == 60
    assert values(found)["psnr"].value == 100
    assert any("nearest frame" in note for note in found.notes)


def test_a_longer_clip_is_compared_as_far_as_the_shorter_reaches_and_says_so(folder):
    found = compare(Pair(folder / "same.mp4", folder / "short.mp4"), How(PLAIN))
    assert found.frames == 20 and values(found)["psnr"].value == 100
    assert any("0.40 s longer" in note for note in found.notes)


def test_only_the_beginning_is_measured_where_that_is_asked_for(folder):
    for generated in ("same.mp4", "first.png"):
        assert compare(Pair(folder / generated, folder / "real.mp4"), How(("psnr",), until_s=0.4)).frames == 10


def test_an_offset_moves_the_other_clip(folder, tmp_path):
    late = write_clip(tmp_path / "late.mp4", face_frames(30)[10:], **LOSSLESS)
    assert values(compare(Pair(late, folder / "real.mp4"), How(("psnr",), offset_s=0.4)))["psnr"].value == 100
    assert values(compare(Pair(late, folder / "real.mp4"), How(("psnr",))))["psnr"].value < 40


def test_a_larger_picture_of_one_shape_is_made_smaller_and_says_so(folder):
    found = compare(Pair(folder / "large.mp4", folder / "real.mp4"), How(PLAIN))
    assert values(found)["psnr"].value > 45  # each pixel was doubled: its area mean is itself
    assert values(found)["f-lmd"].value < 0.5
    assert any("512x512" in note and "256x256" in note for note in found.notes)


def test_pictures_of_different_shape_are_refused_but_their_motion_compares(folder):
    with pytest.raises(InputError, match=r"320x256.*256x256") as caught:
        compare(Pair(folder / "wide.mp4", folder / "real.mp4"))
    assert "--driving" in caught.value.hint
    found = compare(Pair(folder / "wide.mp4", driving=folder / "real.mp4"), How(("shake", "mouth-opening")))
    assert values(found)["shake"].value == pytest.approx(1, abs=0.25)


def test_a_clip_without_a_face_is_told_and_measured_where_no_face_is_needed(folder):
    found = compare(Pair(folder / "blank.mp4", folder / "same.mp4"), How(PLAIN))
    read = values(found)
    assert read["faces"].value == 0 and read["psnr"].samples == 10
    assert read["f-lmd"].value is None and "no face was found in the generated clip (10 frames)" in read["f-lmd"].why


def test_the_region_of_the_face_needs_a_face(folder):
    with pytest.raises(FaceError, match=r"no face in blank\.mp4"):
        compare(Pair(folder / "same.mp4", folder / "blank.mp4"), How(("psnr",), region="face"))


def test_the_region_is_in_the_name_and_a_change_outside_does_not_count(folder, tmp_path):
    pictures = [p.repeat(2, 0).repeat(2, 1) for p in face_frames(10)]
    small = [np.pad(p[::4, ::4], ((60, 68), (60, 68), (0, 0))) for p in pictures]
    real = write_clip(tmp_path / "small.mp4", small, **LOSSLESS)
    for picture in small:
        picture[:10, :10] = 255
    changed = write_clip(tmp_path / "changed.mp4", small, **LOSSLESS)
    names = {
        region: compare(Pair(changed, real), How(("psnr",), region=region)).readings[0] for region in ("frame", "face")
    }
    assert names["frame"].name == "psnr[rgb]" and names["frame"].value < 50
    assert names["face"].name == "psnr[rgb, face]" and names["face"].value == 100


def test_a_photo_is_held_as_long_as_the_clip_it_is_compared_with(folder):
    found = compare(Pair(folder / "first.png", folder / "real.mp4"), How(("psnr", "shake", "f-lmd")))
    read = values(found)
    assert found.frames == 30 and read["shake"].value == 0
    assert read["f-lmd"].value > 3  # the portrait drifts by 16 px


def test_a_cut_is_no_shake(folder, tmp_path):
    pictures = face_frames(40)
    elsewhere = [np.roll(p, 40, axis=1) for p in pictures]
    cut = write_clip(tmp_path / "cut.mp4", [*pictures[:20], *elsewhere[20:]], **LOSSLESS)
    whole = write_clip(tmp_path / "whole.mp4", pictures, **LOSSLESS)
    jitter = [compare(Pair(clip), How(("jitter", "warp-error"))) for clip in (cut, whole)]
    with_cut, without = (values(found)["jitter"] for found in jitter)
    assert with_cut.samples == without.samples - 2
    assert with_cut.value == pytest.approx(without.value, rel=0.2)
    assert values(jitter[0])["warp-error"].value < 0.1  # the cut itself would be a thousand times as much


def test_the_list_tells_every_metric_and_needs_no_clip(capfd):
    from styleheat_cli.app import run
    from styleheat_cli.metrics import CATALOGUE

    assert run(["metrics", "--list"]) == 0
    told = capfd.readouterr().out
    for entry in CATALOGUE.values():
        assert f"{entry.spec.printed} " in told and entry.spec.says in told


def test_an_unknown_metric_is_a_wrong_option(folder):
    with pytest.raises(RecipeError, match="fidd"):
        compare(Pair(folder / "same.mp4"), How(("fidd",)))


def test_folders_are_matched_by_name_and_averaged_over_pairs(folder, tmp_path):
    for place, names in (("out", ("a.mp4", "b.mp4")), ("real", ("a.mp4", "b.mp4"))):
        (tmp_path / place).mkdir()
        for name in names:
            shorter = place == "out" and name == "b.mp4"
            (tmp_path / place / name).write_bytes((folder / ("short.mp4" if shorter else "real.mp4")).read_bytes())
    pairs = pairs_of({"generated": tmp_path / "out", "reference": tmp_path / "real"})
    made = measure(pairs, How(("psnr", "f-lmd")), per_frame=tmp_path / "rows.csv", picture=tmp_path / "plot.png")
    reading = made.readings[0]
    assert (reading.value, reading.pairs, reading.samples, reading.spread) == (100, 2, 50, 0)
    rows = list(csv.DictReader((tmp_path / "rows.csv").open(encoding="utf-8")))
    assert len(rows) == 50 and rows[20]["pair"] == "a" and float(rows[20]["time_s"]) == pytest.approx(0.8)
    assert float(rows[0]["psnr[rgb]"]) == 100
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    made.write_csv(tmp_path / "table.csv")
    rows = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8")))
    assert [(row["pair"], row["samples"]) for row in rows if row["name"] == "psnr[rgb]"] == [("", "50"), ("a", "30"), ("b", "20")]
    assert not list(tmp_path.glob("*.part"))
    assert json.loads(json.dumps(made.as_content(), allow_nan=False))["metrics"]["psnr[rgb]"]["pairs"] == 2


def test_a_folder_without_a_counterpart_and_a_list_with_a_wrong_line_are_refused(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "out" / "a.mp4").write_bytes(b"x")
    with pytest.raises(InputError, match="called a"):
        pairs_of({"generated": tmp_path / "out", "reference": tmp_path / "real"})
    (tmp_path / "list.csv").write_text("generated,reference\nout/a.mp4,\nout/b.mp4,\n")
    with pytest.raises(InputError, match=r"list\.csv:3: generated: no such file"):
        pairs_of({"generated": tmp_path / "list.csv", "reference": None})
    (tmp_path / "list.csv").write_text("generated,refrence\nout/a.mp4,\n")
    with pytest.raises(InputError, match="no column is called refrence"):
        pairs_of({"generated": tmp_path / "list.csv"})


def test_the_command_prints_a_table_or_one_json_object(folder, capfd):
    from styleheat_cli.app import run

    files = ["--generated", str(folder / "same.mp4"), "--reference", str(folder / "real.mp4"), "--only", "psnr", "-q"]
    assert run(["metrics", *files]) == 0
    out = capfd.readouterr().out
    assert "psnr[rgb]" in out and "100.0 dB" in out and "30 frames" in out
    assert run(["metrics", *files, "--json"]) == 0
    content = json.loads(capfd.readouterr().out)
    assert content["metrics"]["psnr[rgb]"] == {"value": 100.0, "unit": "dB", "better": "higher", "samples": 30,
                                               "of": "frames", "pairs": 1}  # fmt: skip
    assert run(["metrics", "--generated", str(folder / "none.mp4"), "--json"]) == 3
    assert "no such file" in json.loads(capfd.readouterr().out)["error"]["message"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_memory_does_not_grow_with_the_clip(tmp_path):
    clip = write_clip(tmp_path / "long.mp4", face_frames(50, 192, 192) * 12)
    resident = {}

    def remember(event):
        if event.done in (150, 600):
            pages = Path("/proc/self/statm").read_text().split()[1]
            resident[event.done] = int(pages) * os.sysconf("SC_PAGESIZE") / 1e6

    compare(Pair(clip, clip), progress=remember)
    assert resident[600] - resident[150] < 25, "MB; the 900 pictures in between are 100 MB"
