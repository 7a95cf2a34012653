"""Writing: every picture at its time, sizes and colours kept, notes carried, nothing half done."""

import logging
from fractions import Fraction

import numpy as np
import pytest

from styleheat_cli.errors import MachineError, OutputError
from styleheat_cli.media.metadata import read_metadata
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.sound import Sound
from styleheat_cli.media.writer import VideoWriter
from styleheat_cli.shot import Colour
from tests import synthetic
from tests.synthetic import RATES, VFR_MS, corners, face, number_of, numbered, numbered_frames, write_clip


def copied(clip, path, **how):
    """The clip written anew, picture by picture."""
    how = {"fps": clip.fps, "time_base": clip.time_base, "colour": clip.colour} | how
    with VideoWriter(path, clip.height, clip.width, **how) as writer:
        for frame in frames(clip):
            writer.write(frame.image, frame.pts)
    return probe(path)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("name", RATES)
def test_times_are_exact_at_every_rate(name, suffix, tmp_path):
    source = probe(write_clip(tmp_path / "a.mp4", numbered_frames(11), fps=RATES[name]))
    made = copied(source, tmp_path / f"b.{suffix}")
    assert (made.fps, made.frames, made.duration_s) == (RATES[name], 11, 11 / RATES[name])
    assert [(number_of(f.image), f.time) for f in frames(made)] == [(i, i / RATES[name]) for i in range(11)]


@pytest.mark.parametrize("count", range(1, 41))
def test_any_number_of_pictures_arrives(count, tmp_path):
    """Encoders look ahead and reorder: no count from 1 to 40 may lose or add a picture."""
    rate = RATES["29.97"]
    with VideoWriter(tmp_path / "a.mp4", 64, 96, fps=rate, time_base=1 / rate) as writer:
        for i in range(count):
            writer.write(numbered(i), i)
    made = probe(tmp_path / "a.mp4")
    assert (made.frames, made.duration_s) == (count, count / rate)
    assert [(number_of(f.image), f.time) for f in frames(made)] == [(i, i / rate) for i in range(count)]


@pytest.mark.parametrize("source_suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_uneven_times_stay_uneven(source_suffix, suffix, tmp_path):
    made = copied(probe(synthetic.vfr_clip(tmp_path / f"a.{source_suffix}")), tmp_path / f"b.{suffix}")
    assert [f.time for f in frames(made)] == [Fraction(ms, 1000) for ms in VFR_MS]
    assert [number_of(f.image) for f in frames(made)] == list(range(len(VFR_MS)))


@pytest.mark.parametrize(("suffix", "tick"), [("mkv", 1000), ("webm", 1000), ("gif", 100)])
def test_containers_with_coarse_times_round_and_never_drift(suffix, tick, tmp_path):
    rate = RATES["29.97"]
    source = probe(write_clip(tmp_path / "a.mp4", numbered_frames(60), fps=rate))
    made = copied(source, tmp_path / f"b.{suffix}")
    read = list(frames(made))
    assert [number_of(f.image) for f in read] == list(range(60))
    assert all(abs(f.time - i / rate) <= Fraction(1, 2 * tick) for i, f in enumerate(read))


def test_the_first_picture_is_at_zero_whatever_its_time(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 64, 96, fps=25, time_base=Fraction(1, 1000)) as writer:
        for i in range(5):
            writer.write(numbered(i), 7000 + 40 * i)
    assert [f.time for f in frames(probe(tmp_path / "a.mp4"))] == [Fraction(i, 25) for i in range(5)]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "gif"])
@pytest.mark.parametrize(("height", "width"), [(65, 97), (64, 97), (65, 96), (64, 96)])
def test_odd_sizes_stay_odd(suffix, height, width, tmp_path):
    path = tmp_path / f"a.{suffix}"
    pictures = [corners(height, width)] * 3
    with VideoWriter(path, height, width, fps=25, time_base=Fraction(1, 25)) as writer:
        for i, picture in enumerate(pictures):
            writer.write(picture, i)
    made = probe(path)
    assert (made.height, made.width) == (height, width)
    found = next(frames(made)).image
    assert np.abs(found[-6, -6].astype(int) - corners(height, width)[-6, -6]).max() < 8


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("size", [(64, 96), (65, 97)])
def test_crf_0_loses_nothing(suffix, size, tmp_path):
    noise = np.random.default_rng(3).integers(0, 256, (4, *size, 3), np.uint8)
    with VideoWriter(tmp_path / f"a.{suffix}", *size, fps=25, time_base=Fraction(1, 25), crf=0) as writer:
        for i, picture in enumerate(noise):
            writer.write(picture, i)
    assert np.array_equal(np.stack([f.image for f in frames(probe(tmp_path / f"a.{suffix}"))]), noise)


def test_ffv1_in_mkv_loses_nothing_either(tmp_path):
    noise = np.random.default_rng(3).integers(0, 256, (2, 65, 97, 3), np.uint8)
    with VideoWriter(tmp_path / "a.mkv", 65, 97, fps=25, time_base=Fraction(1, 25), codec="ffv1") as writer:
        for i, picture in enumerate(noise):
            writer.write(picture, i)
    assert np.array_equal(np.stack([f.image for f in frames(probe(tmp_path / "a.mkv"))]), noise)


def test_quality_follows_crf(tmp_path):
    sizes, quality = [], []
    for crf in (12, 18, 28):
        path = tmp_path / f"{crf}.mp4"
        with VideoWriter(path, 256, 256, fps=25, time_base=Fraction(1, 25), crf=crf) as writer:
            for i, picture in enumerate(synthetic.face_frames(12)):
                writer.write(picture, i)
        sizes.append(path.stat().st_size)
        quality.append(psnr(next(frames(probe(path))).image, synthetic.face_frames(12)[0]))
    assert sizes[0] > sizes[1] > sizes[2]
    assert quality[0] > quality[1] > quality[2]
    assert quality[1] > 36  # bounded by the chroma's half resolution


@pytest.mark.parametrize(
    "colour", [(1, 1, 1, 1), (1, 1, 1, 2), (5, 5, 6, 1), (5, 5, 6, 2), (9, 9, 14, 1), (2, 2, 2, 1)]
)
def test_colour_tags_are_carried_and_true(colour, tmp_path):
    tags = Colour(*colour)
    with VideoWriter(tmp_path / "a.mp4", 96, 160, fps=25, time_base=Fraction(1, 25), crf=4, colour=tags) as writer:
        for i in range(3):
            writer.write(corners(), i)
    made = probe(tmp_path / "a.mp4")
    assert made.colour.range == colour[3]
    assert made.colour.space == (colour[0] if colour[0] != 2 else 6)  # a blank is filled as players guess
    assert (made.colour.primaries, made.colour.transfer) == colour[1:3]
    found = next(frames(made)).image
    assert np.abs(found[8, 8].astype(int) - corners()[8, 8]).max() <= 4


def test_hdr_is_written_as_plain_colour(tmp_path):
    with VideoWriter(
        tmp_path / "a.mp4", 96, 160, fps=25, time_base=Fraction(1, 25), colour=Colour(9, 9, 16, 1)
    ) as writer:
        writer.write(corners(), 0)
    assert probe(tmp_path / "a.mp4").colour == Colour(1, 1, 1, 1)


def test_three_generations_do_not_drift_in_brightness(tmp_path):
    picture = face(256)
    source = tmp_path / "0.mp4"
    with VideoWriter(source, 256, 256, fps=25, time_base=Fraction(1, 25), crf=10) as writer:
        for i in range(3):
            writer.write(picture, i)
    for n in range(1, 3):
        source = copied(probe(source), tmp_path / f"{n}.mp4", crf=10).path
    found = next(frames(probe(source))).image.astype(float)
    assert abs((found - picture).mean()) < 0.5


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "gif", "png", "jpg", "webp"])
def test_notes_come_back_from_every_format(suffix, tmp_path):
    notes = {"styleheat": '{"op": "reenact", "driving": "böb \U0001f600.mp4", "gain": 1.5}', "made_with": "x" * 3000}
    path = tmp_path / f"a.{suffix}"
    with VideoWriter(path, 64, 96, fps=25, time_base=Fraction(1, 25), metadata=notes) as writer:
        writer.write(numbered(0), 0)
    found = read_metadata(path)
    assert {key: found[key] for key in notes} == notes


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "PNG"])
def test_one_picture_can_be_a_photo(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    with VideoWriter(path, 256, 256, fps=25, time_base=Fraction(1, 25)) as writer:
        writer.write(face(256), 0)
    made = probe(path)
    assert made.still
    found = next(frames(made)).image
    assert np.array_equal(found, face(256)) if suffix.lower() == "png" else psnr(found, face(256)) > 30


def test_a_photo_of_two_pictures_is_refused(tmp_path):
    with (
        pytest.raises(OutputError, match="one picture only"),
        VideoWriter(tmp_path / "a.png", 64, 96, fps=25, time_base=Fraction(1, 25)) as writer,
    ):
        writer.write(numbered(0), 0)
        writer.write(numbered(1), 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.mp3", "a.avi"])
def test_an_unknown_format_is_refused_with_those_that_are_known(name, tmp_path):
    with pytest.raises(OutputError) as caught, VideoWriter(tmp_path / name, 64, 96, fps=25, time_base=Fraction(1, 25)):
        pass
    assert ".mp4" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_is_not_here_is_the_machines_fault(tmp_path):
    with (
        pytest.raises(MachineError, match="no encoder libnothing"),
        VideoWriter(tmp_path / "a.mp4", 64, 96, fps=25, time_base=Fraction(1, 25), codec="libnothing"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_sound_for_a_format_without_sound_is_refused(suffix, tmp_path):
    song = synthetic.write_sound(tmp_path / "a.wav", synthetic.tone(1))
    with (
        pytest.raises(OutputError, match="cannot carry sound"),
        VideoWriter(tmp_path / f"b.{suffix}", 64, 96, fps=25, time_base=Fraction(1, 25), sound=Sound(song)),
    ):
        pass


def test_an_error_while_writing_leaves_nothing_behind(tmp_path):
    with (
        pytest.raises(KeyError),
        VideoWriter(tmp_path / "a.mp4", 64, 96, fps=25, time_base=Fraction(1, 25)) as writer,
    ):
        for i in range(30):
            writer.write(numbered(i), i)
        raise KeyError("the network broke")
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_file_that_was_there(tmp_path):
    path = write_clip(tmp_path / "a.mp4", numbered_frames(3))
    before = path.read_bytes()
    with (
        pytest.raises(KeyboardInterrupt),
        VideoWriter(path, 64, 96, fps=25, time_base=Fraction(1, 25)) as writer,
    ):
        writer.write(numbered(0), 0)
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_appears_only_at_the_end(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 64, 96, fps=25, time_base=Fraction(1, 25)) as writer:
        for i in range(30):
            writer.write(numbered(i), i)
            assert [p.name for p in tmp_path.iterdir()] == [".a.mp4.part"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_no_picture_at_all_is_refused(tmp_path):
    with (
        pytest.raises(OutputError, match=r"no picture was made for a\.mp4"),
        VideoWriter(tmp_path / "a.mp4", 64, 96, fps=25, time_base=Fraction(1, 25)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("picture", "pts"), [(corners(64, 98), 1), (corners(64, 96).astype(np.float32), 1), (corners(64, 96), 0)]
)
def test_a_wrong_picture_or_time_is_a_bug_of_the_caller(picture, pts, tmp_path):
    with (
        pytest.raises(ValueError, match="a picture"),
        VideoWriter(tmp_path / "a.mp4", 64, 96, fps=25, time_base=Fraction(1, 25)) as writer,
    ):
        writer.write(numbered(0), 0)
        writer.write(picture, pts)


def test_a_picture_missing_in_the_file_is_found_out(tmp_path, monkeypatch):
    """The read-back is not for show: an encoder that drops a picture fails the file."""
    with (
        pytest.raises(OutputError, match="29 of 30 pictures arrived"),
        VideoWriter(tmp_path / "a.mp4", 64, 96, fps=25, time_base=Fraction(1, 25)) as writer,
    ):
        for i in range(30):
            writer.write(numbered(i), i)
        real = writer._sink.container
        dropping = iter([True])

        class Dropping:
            def mux(self, packets):
                real.mux(packets[next(dropping, 0) :])

            def close(self):
                real.close()

        monkeypatch.setattr(writer._sink, "container", Dropping())
    assert list(tmp_path.iterdir()) == []


def test_an_odd_size_says_how_it_is_kept(tmp_path, caplog):
    with (
        caplog.at_level(logging.INFO, "styleheat_cli"),
        VideoWriter(tmp_path / "a.mp4", 65, 97, fps=25, time_base=Fraction(1, 25)) as writer,
    ):
        writer.write(corners(65, 97), 0)
    assert "4:4:4" in caplog.text


@pytest.mark.parametrize("side", [64, 192, 256, 320])
def test_writing_again_gives_the_same_bytes(tmp_path, side):
    made, random = set(), np.random.default_rng(0)
    blocks = random.integers(0, 255, (side // 8 + 8, side // 8 + 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    for attempt in range(4):
        path = tmp_path / f"{attempt}.mp4"
        [random.random(size) for size in random.integers(1_000, 400_000, 20)]  # other bytes in memory than last time
        with VideoWriter(path, side, side, fps=25, time_base=Fraction(1, 25)) as writer:
            for i in range(24):
                writer.write(np.ascontiguousarray(blocks[i : i + side, i // 2 : i // 2 + side]), i)
        made.add(path.read_bytes())
    assert len(made) == 1
