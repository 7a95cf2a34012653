"""The morphable model: conventions, and that a fit finds what was put in."""

import numpy as np
import pytest

from styleheat_cli.engine import Engine
from styleheat_cli.face.morphable import angles_of, canonical, fit, fit_frames, placed, rigid, rotation


@pytest.fixture(scope="module")
def model():
    return Engine("default", device="cpu").morphable


def test_angles_come_back_from_their_rotation():
    angles = np.random.default_rng(0).uniform(-1.2, 1.2, (100, 3))
    assert angles_of(rotation(angles)) == pytest.approx(angles, abs=1e-12)


@pytest.mark.parametrize(
    ("angles", "way"),
    [((0.3, 0, 0), (0, -1)), ((-0.3, 0, 0), (0, 1)), ((0, 0.3, 0), (1, 0)), ((0, -0.3, 0), (-1, 0))],
)
def test_positive_pitch_looks_up_and_positive_yaw_to_the_right(angles, way):
    nose = rotation(np.array(angles)) @ [0, 0, -1.0]
    assert np.sign(np.round(nose[:2], 6)) == pytest.approx(way)


def test_positive_roll_tilts_clockwise():
    crown = rotation(np.array([0, 0, 0.3])) @ [0, -1.0, 0]
    assert crown[0] > 0


def test_the_rigid_fit_finds_a_similarity_exactly():
    random = np.random.default_rng(1)
    shape, turn = random.normal(size=(40, 3)), rotation(np.array([[0.2, -0.4, 0.1]]))
    points = placed(shape[None], np.array([37.0]), turn, np.array([[200.0, 150.0, 5.0]]))
    scale, found, shift = rigid(points, shape, random.uniform(0.5, 2, 40))
    assert scale[0] == pytest.approx(37.0)
    assert found[0] == pytest.approx(turn[0], abs=1e-9)
    assert canonical(points, scale, found, shift)[0] == pytest.approx(shape, abs=1e-9)


def test_the_mean_face_is_symmetric_and_faces_the_camera(model):
    assert model.mean[model.mirror] * [-1, 1, 1] == pytest.approx(model.mean, abs=0.02)
    assert model.mean[4, 2] < model.mean[234, 2]  # the nose is nearer than the temple


def test_a_fit_finds_pose_and_expression_of_a_known_person(model):
    random = np.random.default_rng(2)
    identity, expression = random.normal(size=len(model.identity)), random.normal(size=(30, 64))
    angles = random.uniform(-0.4, 0.4, (30, 3))
    own = np.zeros_like(model.mean)
    points = placed(model.shape(identity, expression, angles), np.full(30, 80.0), rotation(angles), np.full((30, 3), 128.0))
    found = fit_frames(model, points, identity, own, rounds=6)
    assert np.abs(found.angles - angles).max() < np.radians(1.5)
    assert np.abs(found.expression[:, :12] - expression[:, :12]).max() < 0.35


def test_a_fit_explains_the_landmarks_it_was_given(model):
    """What neither basis can say of a person's shape is kept as their own, so one frame is explained in full."""
    random = np.random.default_rng(3)
    points = 80 * (model.mean + 0.01 * random.normal(size=model.mean.shape))[None] + 128
    found = fit(model, points)
    shape = model.shape(found.identity, found.expression, found.angles) + found.own
    assert placed(shape, found.scale, rotation(found.angles), found.shift) == pytest.approx(points, abs=0.05)
