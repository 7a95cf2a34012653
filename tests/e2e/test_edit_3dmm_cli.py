"""`styleheat edit-3dmm` from the prompt, with the real weights: photo, clip, region, mistakes."""

import numpy as np
import pytest

from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.still import read_image
from tests.synthetic import face, face_clip, photo

pytestmark = pytest.mark.slow

MOUTH, EYES = (slice(68, 80), slice(100, 124)), (slice(48, 54), slice(97, 129))  # of the astronaut at 256


@pytest.fixture
def files(tmp_path):
    photo(tmp_path / "alice.png", face(256))
    face_clip(tmp_path / "bob.mp4", 0.4, size=128)
    return tmp_path


def change(files, output, *options):
    """Grey levels by which the edited photo differs from the source, (256, 256)."""
    made = read_image(files / output).astype(int)
    return np.abs(made - read_image(files / "alice.png")).max(-1)


def test_a_smile_changes_the_mouth_of_a_photo_and_neither_eyes_nor_suit(cli, files, one_engine):
    called = cli("edit-3dmm", files / "alice.png", "--smile", 1, "--jaw-open", 0.3, "-o", files / "out.png")
    assert (called.code, called.out) == (0, f"{files / 'out.png'}\n"), called.err
    moved = change(files, "out.png")
    assert moved[MOUTH].mean() > 5 * moved[EYES].mean() and moved[MOUTH].mean() > 4
    assert (moved[160:] == 0).all(), "below the head nothing changes"
    record = cli("inspect", files / "out.png", "--json").json["recipe"]["steps"]
    assert record == [{"op": "edit-3dmm", "smile": 1.0, "jaw_open": 0.3}]


def test_a_glance_moves_the_eyes_alone(cli, files, one_engine):
    assert cli("edit-3dmm", files / "alice.png", "--gaze-x", -25, "-o", files / "out.png").code == 0
    moved = change(files, "out.png")
    assert moved[EYES].mean() > 5 * moved[MOUTH].mean() and moved[EYES].max() > 30


def test_a_photo_made_a_clip_begins_and_ends_as_it_was(cli, files, one_engine):
    size = ("--crop", "--size", 64, "--crf", 0)
    assert cli("edit-3dmm", files / "alice.png", "--yaw", 15, "-o", files / "out.mp4", *size).code == 0
    made = [frame.image.astype(int) for frame in frames(probe(files / "out.mp4"))]
    assert len(made) == 75 and np.abs(made[37] - made[0]).mean() > 3 > 0.5 > np.abs(made[-1] - made[0]).mean()


def test_a_clip_keeps_its_times_and_sound_and_changes_in_the_span_only(cli, files, one_engine):
    options = ("--roll", 12, "--after", "5f", "--fade", 0, "--crop", "--size", 64, "--crf", 0)
    assert cli("edit-3dmm", files / "bob.mp4", "-o", files / "out.mkv", *options).code == 0
    assert cli("edit-3dmm", files / "bob.mp4", "-o", files / "same.mkv", *options[4:]).code == 0
    clip = probe(files / "out.mkv")
    assert clip.frames == 10 and clip.audio is not None
    pairs = zip(*(frames(probe(files / name)) for name in ("out.mkv", "same.mkv")), strict=True)
    apart = [np.abs(a.image.astype(int) - b.image).mean() for a, b in pairs]
    assert max(apart[:5]) == 0 and min(apart[5:]) > 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--yaw", 50), "less than or equal to 40"),
        (("--shift", "1"), "--shift"),
        (("--coefficient", "99=1"), "there are 64 coefficients"),
        (("--tour", "--keyframes", "keys.yaml"), "exclude each other"),
        (("--keyframes", "nowhere.yaml"), "no such recipe: nowhere.yaml"),
    ],
)
def test_a_mistake_is_told_before_anything_is_done(cli, files, options, message):
    called = cli("edit-3dmm", files / "alice.png", *options, "-o", files / "out.mp4")
    assert called.code == 2 and message in called.err and not (files / "out.mp4").exists()
