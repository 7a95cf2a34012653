"""The flow that a moved mesh draws."""

import numpy as np
import pytest

from styleheat_cli.engine.mesh import (
    GRID,
    HOLES,
    RING_REACH,
    backward_map,
    exact_map,
    ring_follow,
    source_mesh,
    target_mesh,
    unfolded,
)
from styleheat_cli.face.morphable import POINTS, rotation
from styleheat_cli.face.regions import LIP_POINTS

SIDE = 512
CENTRES = (np.arange(GRID) + 0.5) * SIDE / GRID


def place(fitted, *, turn=(0, 0, 0), shift=(0, 0)):
    """Where the head is, turned by angles and moved by pixels."""
    return fitted.scale[0], rotation(fitted.angles[0] + turn), fitted.shift[0] + [*shift, 0]


def moved(model, astronaut, fitted, **how):
    """The source mesh and the same head, rigidly moved."""
    from styleheat_cli.face.morphable import canonical

    points = astronaut[1]
    before, after = place(fitted), place(fitted, **how)
    still = canonical(points[None], np.array([before[0]]), before[1][None], before[2][None])[0]
    landmarks = after[0] * still @ after[1].T + after[2]
    source = source_mesh(model, points, fitted)
    return source, target_mesh(source, landmarks, before, after)


def test_a_still_mesh_maps_every_pixel_to_itself(engine, model, astronaut, fitted):
    source, target = moved(model, astronaut, fitted)
    at, _ = backward_map(source, target, engine.triangles, SIDE)
    assert np.abs(at[..., 0] - CENTRES).max() < 0.01
    assert np.abs(at[..., 1] - CENTRES[:, None]).max() < 0.01


def test_a_moved_head_is_fetched_from_where_it_was(engine, model, astronaut, fitted):
    source, target = moved(model, astronaut, fitted, shift=(14, -6))
    at, _ = backward_map(source, target, engine.triangles, SIDE)
    x, y = (target[4, :2] * GRID / SIDE).astype(int)  # the tip of the nose
    assert at[y, x] == pytest.approx([CENTRES[x] - 14, CENTRES[y] + 6], abs=0.05)


def test_the_crops_border_rests(engine, model, astronaut, fitted):
    source, target = moved(model, astronaut, fitted, turn=(0.2, 0.3, 0.1), shift=(20, 20))
    at, _ = backward_map(source, target, engine.triangles, SIDE)
    for edge in (at[0, :, 0] - CENTRES, at[-1, :, 0] - CENTRES, at[:, 0, 1] - CENTRES, at[:, -1, 1] - CENTRES):
        assert np.abs(edge).max() < 0.01


def test_a_border_where_the_frame_ends_does_not_rest(engine, model, astronaut, fitted):
    source, still = source_mesh(model, astronaut[1], fitted), place(fitted)
    target = target_mesh(source, astronaut[1], still, still, shoulders=lambda at: at + [9, -4])
    below = int(source[152, 0] * GRID / SIDE)
    for rests, way in ((True, [0, 0]), (False, [9, 0])):
        at, _ = backward_map(source, target, engine.triangles, SIDE, resting=(True, rests, True, True))
        assert [CENTRES[below], CENTRES[-1]] - at[-1, below] == pytest.approx(way, abs=2.1)


def test_shoulders_go_their_own_way_and_hair_that_of_the_head(engine, model, astronaut, fitted):
    points = astronaut[1]
    source, still = source_mesh(model, points, fitted), place(fitted)
    target = target_mesh(source, points, still, still, shoulders=lambda at: at + [9, -4])
    rings = (target - source)[POINTS:, :2].reshape(len(RING_REACH), -1, 2)
    top, chin = 0, 18
    assert rings[3:, chin] == pytest.approx(np.tile([9, -4], (2, 1)))
    assert 0 < rings[0, chin, 0] < rings[1, chin, 0] < 9
    assert rings[:, top] == pytest.approx(0) and target[:POINTS] == pytest.approx(points)


def test_a_single_pixel_comes_from_where_its_triangle_was(engine, model, astronaut, fitted):
    source, target = moved(model, astronaut, fitted, shift=(14, -6))
    nose = target[4, :2].astype(int)
    at, there = exact_map(source, target, engine.triangles, SIDE, np.array([[nose[1], 2], [nose[0], 2]]))
    assert at[0] == pytest.approx(nose + 0.5 - [14, -6], abs=0.05) and there[0]


def test_what_a_turn_hides_is_hidden(engine, model, astronaut, fitted):
    """Turned far to the right, the picture's right cheek lies behind the nose: the nose is drawn over it."""
    source, target = moved(model, astronaut, fitted, turn=(0, 1.2, 0))
    _, drawn = backward_map(source, target, engine.triangles, SIDE)
    depth = target[engine.triangles, 2].mean(1)
    depth[:HOLES] = np.inf
    order = np.argsort(-depth, kind="stable")
    nose = target[4]
    x, y = (nose[:2] * GRID / SIDE).astype(int)
    corners = engine.triangles[order[drawn[y, x]]]
    assert target[corners, 2].mean() < nose[2] + 0.3 * fitted.scale[0]


def test_the_neck_follows_less_than_the_hair(astronaut):
    follow = ring_follow(astronaut[1]).reshape(len(RING_REACH), -1)
    top, chin = 0, 18  # places in the oval: forehead first, chin half way round
    assert follow[1, top] == 1.0 > follow[1, chin]
    assert (np.diff(follow, axis=0) <= 0).all()


def test_every_point_of_the_surface_is_used(engine):
    used = set(engine.triangles.ravel())
    assert used == set(range(468)) | set(range(POINTS, POINTS + len(RING_REACH) * 36))


def test_folds_are_evened_out_and_lips_keep_their_way(model):
    still = model.mean
    assert unfolded(still, still, model.triangles) == pytest.approx(still)
    pushed = still.copy()
    pushed[list(LIP_POINTS)] += [0, 0.25, 0]  # over the skin of the chin, which stays
    made = unfolded(pushed, still, model.triangles)
    assert made[list(LIP_POINTS)] == pytest.approx(pushed[list(LIP_POINTS)])
    assert folds(made, still, model.triangles) < 0.25 * folds(pushed, still, model.triangles)
    far = np.linalg.norm(still - still[14], axis=1) > 1.8
    assert made[far] == pytest.approx(still[far])


def folds(shape, still, skin):
    """How many triangles turned over."""
    return sum(np.sign(area(shape[t])) != np.sign(area(still[t])) for t in skin)


def area(corners):
    a, b, c = corners[:, :2]
    return np.linalg.det(np.stack([b - a, c - a]))
