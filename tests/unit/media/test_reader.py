"""Reading: what a clip is, which picture is on screen when, upright and in the right colours."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from styleheat_cli.errors import InputError
from styleheat_cli.media.reader import digest, frames, probe
from tests import synthetic
from tests.synthetic import RATES, VFR_MS, corners, face, number_of, numbered_frames, write_clip

RED, GREEN, BLUE, WHITE = (230, 20, 20), (20, 200, 20), (20, 20, 230), (235, 235, 235)


def corner_colours(picture):
    """Top left, top right, bottom left, bottom right."""
    return [tuple(int(v) for v in picture[y, x]) for y in (8, -8) for x in (8, -8)]


def near(found, expected, levels=6):
    return np.abs(np.array(found, int) - np.array(expected, int)).max() <= levels


@pytest.mark.parametrize("name", RATES)
def test_rate_count_and_times_are_exact(name, tmp_path):
    clip = probe(write_clip(tmp_path / "a.mp4", numbered_frames(9), fps=RATES[name]))
    read = list(frames(clip))
    assert (clip.fps, clip.frames, clip.duration_s) == (RATES[name], 9, 9 / RATES[name])
    assert [f.time for f in read] == [i / RATES[name] for i in range(9)]
    assert [f.time for f in read] == [f.pts * clip.time_base for f in read]
    assert [number_of(f.image) for f in read] == list(range(9)) == [f.index for f in read]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_uneven_times_are_kept(suffix, tmp_path):
    clip = probe(synthetic.vfr_clip(tmp_path / f"a.{suffix}"))
    assert [f.time for f in frames(clip)] == [Fraction(ms, 1000) for ms in VFR_MS]


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_pictures_make_a_clip(count, tmp_path):
    clip = probe(write_clip(tmp_path / "a.mp4", numbered_frames(count)))
    assert clip.frames == count == len(list(frames(clip)))
    assert clip.duration_s == Fraction(count, 25)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_times_count_from_the_first_picture(suffix, tmp_path):
    clip = probe(write_clip(tmp_path / f"a.{suffix}", numbered_frames(6), start_s=2, sound=synthetic.tone(3)))
    assert [f.time for f in frames(clip)] == [Fraction(i, 25) for i in range(6)]
    assert clip.duration_s == Fraction(6, 25)


@pytest.mark.parametrize(
    "how",
    [{}, {"gop": 30}, {"gop": 500}, {"gop": 12, "options": {"bf": "3", "preset": "medium"}}],
    ids=["default", "gop30", "one-key-frame", "reordered"],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_trimmed_read_gives_the_same_pictures_at_the_same_places(suffix, how, tmp_path):
    clip = probe(write_clip(tmp_path / f"a.{suffix}", numbered_frames(125), **how))
    whole = [(f.index, f.pts, f.time) for f in frames(clip)]
    for start, end in [(0, 1), (0.5, None), (2.0, 3.0), (3.33, 3.35), (4.7, 99)]:
        part = list(frames(clip, start, end))
        stop = 125 if end is None else min(125, -int(-Fraction(end) * 25 // 1))
        expected = whole[int(start * 25) : stop]
        assert [(f.index, f.pts, f.time) for f in part] == expected
        assert [number_of(f.image) for f in part] == [index for index, _, _ in expected]


def test_the_first_picture_of_a_trim_is_the_one_on_screen(tmp_path):
    clip = probe(synthetic.vfr_clip(tmp_path / "a.mkv"))
    assert next(frames(clip, 0.6)).index == 6  # shown from 0.283 s to 0.7 s
    assert next(frames(clip, 1.699)).index == 8
    assert next(frames(clip, 0.7)).index == 7


def test_a_trim_past_the_end_is_refused(tmp_path):
    clip = probe(write_clip(tmp_path / "a.mp4", numbered_frames(25)))
    with pytest.raises(InputError, match=r"a\.mp4 shows nothing from 1\.50 s") as caught:
        list(frames(clip, 1.5))
    assert "lasts 1.00 s" in caught.value.hint


@pytest.mark.parametrize(
    ("degrees", "order"),
    [(90, (BLUE, RED, WHITE, GREEN)), (180, (WHITE, BLUE, GREEN, RED)), (270, (GREEN, WHITE, RED, BLUE))],
)
def test_rotated_video_is_upright(degrees, order, tmp_path):
    clip = probe(write_clip(tmp_path / "a.mp4", [corners(96, 160)] * 2, rotation=degrees))
    image = next(frames(clip)).image
    assert clip.rotation == degrees
    assert image.shape == (clip.height, clip.width, 3) == ((160, 96, 3) if degrees != 180 else (96, 160, 3))
    assert near(corner_colours(image), order)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_mirrored_video_is_set_right(degrees, tmp_path):
    """A selfie camera's matrix: turned, then left and right exchanged."""
    path = write_clip(tmp_path / "a.mp4", [corners(96, 160)] * 2, rotation=degrees, mirrored=True)
    expected = np.rot90(corners(96, 160), -degrees // 90)[:, ::-1]
    assert near(corner_colours(next(frames(probe(path))).image), corner_colours(expected))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright_as_exif_says(orientation, tmp_path):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = Image.fromarray(corners())
    stored = stored.transpose(undo[orientation]) if orientation in undo else stored
    path = synthetic.photo(tmp_path / "a.png", np.asarray(stored), orientation=orientation)
    clip = probe(path)
    assert clip.still and (clip.height, clip.width) == (96, 160)
    assert np.array_equal(next(frames(clip)).image, corners())


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_photo_is_a_clip_of_one_frame(suffix, tmp_path):
    clip = probe(synthetic.photo(tmp_path / f"a.{suffix}", quality=95))
    (only,) = frames(clip)
    assert (clip.frames, clip.still, only.index, only.pts, only.time) == (1, True, 0, 0, 0)
    assert np.abs(only.image.astype(int) - face(256)).mean() < 4


def test_photos_are_known_by_content_not_by_name(tmp_path):
    path = synthetic.photo(tmp_path / "a.png")
    assert probe(path.rename(tmp_path / "a.mp4")).still


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16", "1"])
def test_photos_of_every_mode_become_rgb(mode, tmp_path):
    grey = Image.fromarray(np.full((8, 8), 128, np.uint8))
    deep = Image.fromarray(np.full((8, 8), 128 * 257, np.uint16))
    image = deep if mode == "I;16" else grey.convert(mode)
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    image.save(path)
    found = next(frames(probe(path))).image
    assert found.shape == (8, 8, 3) and found.dtype == np.uint8
    assert mode == "1" or near(found[4, 4], (128, 128, 128), 3)


def test_pixels_are_square_when_read(tmp_path):
    wide = probe(write_clip(tmp_path / "a.mp4", [corners(96, 160)], aspect=Fraction(4, 3)))
    tall = probe(write_clip(tmp_path / "b.mp4", [corners(96, 160)], aspect=Fraction(8, 9)))
    assert (wide.height, wide.width) == (96, 213)
    assert (tall.height, tall.width) == (108, 160)
    assert next(frames(wide)).image.shape == (96, 213, 3)
    assert near(corner_colours(next(frames(tall)).image), (RED, GREEN, BLUE, WHITE))


def test_a_rotated_picture_of_oblong_pixels_is_square_and_upright(tmp_path):
    clip = probe(write_clip(tmp_path / "a.mp4", [corners(96, 160)], aspect=Fraction(4, 3), rotation=90))
    image = next(frames(clip)).image
    assert image.shape[:2] == (clip.height, clip.width) == (213, 96)
    assert near(corner_colours(image), (BLUE, RED, WHITE, GREEN))


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (1, 1, 1, 2), (5, 5, 6, 1), (5, 5, 6, 2), (9, 9, 14, 1)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le", "yuv422p"])
def test_colour_tags_are_obeyed(colour, pixel_format, tmp_path):
    clip = probe(write_clip(tmp_path / "a.mp4", [corners()] * 2, pixel_format=pixel_format, colour=colour))
    assert (clip.colour.space, clip.colour.range) == (colour[0], colour[3])
    # a wrong matrix or range moves these colours by 15 levels and more
    assert near(corner_colours(next(frames(clip)).image), (RED, GREEN, BLUE, WHITE), 4)


def test_untagged_video_is_read_as_players_do(tmp_path):
    """BT.709 from 720 lines up, BT.601 below: the same red, coded either way."""
    for lines, space in ((96, 5), (720, 1)):
        picture = np.full((lines, 64, 3), RED, np.uint8)

        def untagged(frame):
            frame.colorspace = frame.color_primaries = frame.color_trc = 2
            return frame

        path = write_clip(tmp_path / f"{lines}.mkv", [picture], colour=(space, 2, 2, 1), codec="ffv1",
                          prepare=untagged)  # fmt: skip
        assert near(next(frames(probe(path))).image[5, 5], RED, 3)


def test_reading_does_not_darken(tmp_path):
    """The scaler's fast way loses a whole level on average; the careful one does not."""
    picture = face(512)
    clip = probe(write_clip(tmp_path / "a.mkv", [picture], codec="ffv1", colour=(1, 1, 1, 1)))
    found = next(frames(clip)).image.astype(float)
    assert abs((found - picture).mean()) < 0.25


def test_deep_colour_alpha_and_grey_are_read_as_rgb(tmp_path):
    clear = np.dstack([corners(), np.full((96, 160), 128, np.uint8)])
    for name, pixel_format, codec, pictures in (
        ("12.mkv", "gbrp12le", "ffv1", [corners()] * 2),
        ("alpha.mkv", "yuva444p", "ffv1", [clear] * 2),
        ("alpha.mov", "argb", "qtrle", [clear] * 2),
        ("16.mkv", "rgb48le", "ffv1", [corners()] * 2),
    ):
        path = write_clip(tmp_path / name, pictures, codec=codec, pixel_format=pixel_format)
        assert near(corner_colours(next(frames(probe(path))).image), (RED, GREEN, BLUE, WHITE), 4), name
    grey = write_clip(tmp_path / "grey.mkv", [corners()] * 2, codec="ffv1", pixel_format="gray")
    image = next(frames(probe(grey))).image
    assert (image.max(axis=2) == image.min(axis=2)).all()


def test_transparency_is_dropped_with_a_note(tmp_path, caplog):
    clear = np.dstack([corners(), np.full((96, 160), 128, np.uint8)])
    probe(write_clip(tmp_path / "a.mkv", [clear] * 2, codec="ffv1", pixel_format="yuva444p"))
    assert "a.mkv has transparency, which is dropped" in caplog.text


@pytest.mark.parametrize(("alpha", "told"), [(255, False), (200, True)])
def test_a_photo_that_lets_nothing_through_is_not_called_transparent(alpha, told, tmp_path, caplog):
    clear = np.dstack([corners(), np.full((96, 160), alpha, np.uint8)])
    Image.fromarray(clear).save(tmp_path / "a.png")
    assert np.array_equal(next(frames(probe(tmp_path / "a.png"))).image, corners())
    assert ("has transparency" in caplog.text) == told


def test_gif_is_a_clip_with_its_own_times(tmp_path):
    path = tmp_path / "a.gif"
    pictures = [Image.fromarray(p) for p in numbered_frames(4)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 50, 400, 100], loop=0)
    clip = probe(path)
    assert [f.time for f in frames(clip)] == [0, Fraction(10, 100), Fraction(15, 100), Fraction(55, 100)]
    assert [number_of(f.image) for f in frames(clip)] == [0, 1, 2, 3]
    assert not clip.still


def test_a_gif_of_one_picture_is_a_still(tmp_path):
    Image.fromarray(corners()).save(tmp_path / "a.gif")
    clip = probe(tmp_path / "a.gif")
    assert clip.still and near(corner_colours(next(frames(clip)).image), (RED, GREEN, BLUE, WHITE))


def test_the_first_of_two_video_streams_is_read(tmp_path):
    clip = probe(synthetic.with_extra_streams(tmp_path / "a.mkv"))
    assert [number_of(f.image) for f in frames(clip)] == list(range(10))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (96000, 1), (48000, 6)])
def test_the_sound_is_described(rate, channels, tmp_path):
    path = write_clip(tmp_path / "a.mp4", numbered_frames(25), sound=synthetic.tone(1, rate, channels), rate=rate)
    audio = probe(path).audio
    assert (audio.codec, audio.rate, audio.channels) == ("aac", rate, channels)
    assert abs(float(audio.duration_s) - 1) < 0.2  # whole packets: 128 ms each at 8 kHz


def test_a_clip_without_sound_says_so(tmp_path):
    assert probe(write_clip(tmp_path / "a.mp4", numbered_frames(2))).audio is None


def test_the_digest_is_that_of_the_content(tmp_path):
    import hashlib

    path = synthetic.photo(tmp_path / "a.png")
    assert probe(path).digest == digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_hdr_faces_keep_their_light(tmp_path, caplog):
    """Grey at the level of skin in HLG and in PQ comes out as the same grey on a plain screen."""
    for transfer, code in ((18, 0.50), (16, 0.44)):  # about 50 cd/m2: a quarter of graphics white
        picture = np.full((64, 64, 3), round(code * 255), np.uint8)
        path = write_clip(tmp_path / f"{transfer}.mkv", [picture] * 2, codec="ffv1", pixel_format="yuv420p10le",
                          colour=(9, 9, transfer, 1))  # fmt: skip
        grey = next(frames(probe(path))).image
        assert np.ptp(grey) <= 1
        assert 120 < grey.mean() < 150  # (50 / 203) ** (1 / 2.2) * 255 = 135
    assert "is HDR" in caplog.text


def test_real_clips_are_read_whole(shared):
    found = sorted((shared / "data" / "videos").glob("*.mp4"))[:2]
    assert found
    for path in found:
        clip = probe(path)
        read = [(f.index, f.time) for f in frames(clip)]
        assert [index for index, _ in read] == list(range(clip.frames))
        assert all(b > a for (_, a), (_, b) in itertools.pairwise(read))
        assert clip.duration_s > read[-1][1]
