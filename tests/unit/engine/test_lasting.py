"""Pictures made to last as long as a speech: cut, played again, to and fro, held."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.engine.lasting import fitted, played
from styleheat_cli.engine.stream import source_rows, visited
from styleheat_cli.media.reader import probe
from styleheat_cli.shot import Clip, FaceTrack, MotionTrack, Shot
from tests.synthetic import number_of, numbered_frames, write_clip

STEP = 0.1
FIVE = np.arange(5) * STEP


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("loop", [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]),
        ("pingpong", [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3]),
        ("hold", [0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4]),
    ],
)
def test_what_lacks_is_made_of_the_rows_that_are_there(way, expected):
    rows, at = played(FIVE, STEP, 1.2, way)
    assert rows.tolist() == expected
    assert at == pytest.approx(np.arange(12) * STEP)


@pytest.mark.parametrize("way", ["loop", "pingpong", "hold", "trim"])
def test_what_is_too_much_is_cut(way):
    rows, at = played(FIVE, STEP, 0.3, way)
    assert rows.tolist() == [0, 1, 2] and at == pytest.approx([0, 0.1, 0.2])


def test_uneven_times_stay_uneven_in_every_round():
    rows, at = played(np.array([0.0, 0.1, 0.4]), STEP, 1.0, "loop")
    assert rows.tolist() == [0, 1, 2, 0, 1, 2] and at == pytest.approx([0, 0.1, 0.4, 0.5, 0.6, 0.9])


def test_one_picture_is_held_for_as_long_as_it_takes():
    assert played(np.zeros(1), 0.04, 1.0, "pingpong")[0].tolist() == [0] * 25


def shot_of(clip: Clip, count: int) -> Shot:
    times = np.arange(count) / float(clip.fps)
    face = FaceTrack(times, np.zeros((count, 4)), np.zeros((count, 478, 3)), np.zeros((count, 2, 3)), np.ones(count, bool))
    coeffs = np.repeat(np.arange(count, dtype=np.float32)[:, None], 73, axis=1)
    own = MotionTrack(coeffs, times, clip=clip)
    return Shot(clip, face, own, own, person=None)


def test_a_clip_that_is_played_to_and_fro_shows_its_own_pictures_in_that_order(tmp_path):
    clip = probe(write_clip(tmp_path / "a.mp4", numbered_frames(60)))
    shot = fitted(shot_of(clip, 60), 130 / 25, "pingpong")
    wanted = [*range(60), *range(58, 0, -1), *range(12)]
    assert source_rows(shot).tolist() == wanted
    assert shot.motion.coeffs[:, 0].tolist() == wanted
    assert shot.motion.times == pytest.approx(np.arange(130) / 25)
    assert [number_of(frame.image) for frame in visited(shot, np.array(wanted))] == wanted


def test_a_shot_that_lasts_as_long_stays_itself():
    clip = Clip(Path(), 10, 10, Fraction(25), 5, Fraction(1, 5))
    shot = shot_of(clip, 5)
    assert fitted(shot, 0.2, "loop") is shot
