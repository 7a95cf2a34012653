"""edit end to end: a clip keeps its time, sound and surroundings, a photo becomes a clip."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from styleheat_cli.media.reader import frames, probe
from tests.synthetic import face_clip

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_engine")]


def pictures(path):
    return np.stack([frame.image for frame in frames(probe(path))]).astype(int)


@pytest.fixture
def driver(tmp_path):
    face_clip(tmp_path / "bob.mp4", 0.4, size=160)
    return tmp_path / "bob.mp4"


def test_a_clip_keeps_its_frames_and_changes_more_where_the_ramp_is_higher(cli, driver, tmp_path):
    called = cli("edit", driver, "--direction", "lips", "--ramp", "0:3", "--crf", "0", "-o", tmp_path / "lips.mp4")
    assert called.code == 0, called.err
    before, after = pictures(driver), pictures(tmp_path / "lips.mp4")
    assert before.shape == after.shape
    change = np.abs(after - before).max(-1)
    by_frame = change.sum((1, 2))
    assert by_frame[0] == 0 and by_frame[-1] > by_frame[len(by_frame) // 2] > 0
    assert not change[:, :8].any() and not change[:, :, :8].any()  # far from the mouth


def test_a_photo_is_edited_and_follows_a_clip(cli, driver, tmp_path):
    photo = tmp_path / "astronaut.png"
    Image.fromarray(data.astronaut()[0:256, 96:352]).save(photo)
    out = tmp_path / "older.mp4"
    called = cli("edit", photo, "--direction", "age", "--direction", "grey", "--strength", "3", "-d", driver, "-o", out)
    assert called.code == 0, called.err
    plain = cli("reenact", photo, "-d", driver, "-o", tmp_path / "plain.mp4")
    made, same = pictures(out), pictures(tmp_path / "plain.mp4")
    assert plain.code == 0 and len(made) == len(same) == len(pictures(driver))
    hair = np.s_[:, 20:50, 100:150]  # the crown: grey in every frame

    def chroma(region):
        return float((region.max(-1) - region.min(-1)).mean())

    assert chroma(made[hair]) < 0.8 * chroma(same[hair])
