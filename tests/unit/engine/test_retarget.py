"""Retargeting: what the source does, given what the driver does."""

import numpy as np
import pytest

from styleheat_cli.engine.response import mouth as mouth_of
from styleheat_cli.engine.retarget import (
    AWOKEN,
    LEASH,
    WIDE,
    Controls,
    eased,
    opening_rows,
    region_projections,
    retarget,
    width_row,
)
from styleheat_cli.face.morphable import openings
from styleheat_cli.shot import ANGLES, EXPRESSION, TRANSLATION, MotionTrack

TIMES = np.arange(50) / 25
FREE = {"pose_limit_deg": 90}


def track(count=50, **rows):
    """A motion that rests in the middle of a 100 px crop, with some rows set."""
    coeffs = np.zeros((count, 73), np.float32)
    coeffs[:, 67:73] = [0.0, 0.0, 0.25, 100, 50, 50]
    for name, values in rows.items():
        coeffs[:, {"angles": ANGLES, "expression": EXPRESSION, "place": TRANSLATION}[name]] = values
    return MotionTrack(coeffs, np.arange(count) / 25)


def nodding(size=0.2):
    return np.column_stack([size * np.sin(2 * np.pi * TIMES), np.zeros(50), np.zeros(50)])


def test_a_still_driver_leaves_the_source_as_it_is(model):
    own = track(1, angles=[0.1, -0.2, 0.05], expression=0.3)
    out = retarget(model, own, track(angles=[0.3, 0.2, 0.1], expression=-0.2), TIMES)
    assert out.coeffs == pytest.approx(np.repeat(own.coeffs, 50, axis=0), abs=1e-5)


def test_relative_motion_adds_the_change_to_the_sources_own_pose(model):
    own = track(1, angles=[0.1, -0.2, 0.0])
    out = retarget(model, own, track(angles=nodding() + [0.4, 0.3, 0.0]), TIMES, Controls(**FREE))
    assert out.angles[:, 0] == pytest.approx(0.1 + nodding()[:, 0], abs=1e-5)
    assert out.angles[:, 1] == pytest.approx(-0.2, abs=1e-5)


def test_absolute_motion_is_the_drivers(model):
    own = track(1, angles=[0.1, -0.2, 0.0])
    out = retarget(model, own, track(angles=nodding() + [0.2, 0.1, 0.0]), TIMES, Controls(relative=False, **FREE))
    assert out.angles == pytest.approx(nodding() + [0.2, 0.1, 0.0], abs=1e-5)


def test_an_anchor_says_which_moment_is_the_source(model):
    driving = track(angles=nodding() + [0.2, 0, 0])
    out = retarget(model, track(1), driving, TIMES, Controls(anchor=0.0, **FREE))
    assert out.angles[0] == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_source_that_is_a_frame_of_the_drivers_film_goes_where_the_driver_is(model):
    own = track(1, angles=[0.1, -0.2, 0.0], place=[0.1, 0.0, 0.3], expression=0.2)
    driving = track(angles=nodding() + [0.2, 0.1, 0.0], place=[-0.1, 0.05, 0.25], expression=-0.1)
    free = Controls(anchor="source", travel_limit=5, **FREE)
    out = retarget(model, own, driving, TIMES, free)
    assert out.angles == pytest.approx(driving.angles, abs=1e-5)
    assert out.head_at == pytest.approx(driving.head_at, abs=1e-3) and out.head_size == pytest.approx(driving.head_size, rel=0.01)


def test_gain_multiplies_and_zero_stills(model):
    driving = track(angles=nodding(0.1))
    twice = retarget(model, track(1), driving, TIMES, Controls(pose_gain=2, **FREE))
    still = retarget(model, track(1), driving, TIMES, Controls(pose_gain=0, **FREE))
    assert twice.angles[:, 0] == pytest.approx(2 * nodding(0.1)[:, 0], abs=1e-5)
    assert still.angles == pytest.approx(np.zeros((50, 3)), abs=1e-6)


def test_turns_beyond_the_limit_are_eased_and_said(model, caplog):
    driving = track(angles=np.column_stack([np.zeros(50), np.linspace(-1.2, 1.2, 50), np.zeros(50)]))
    out = retarget(model, track(1), driving, TIMES, Controls(pose_limit_deg=25))
    yaw = np.degrees(out.angles[:, 1])
    assert np.abs(yaw).max() <= 30.0 and (np.diff(yaw) >= 0).all()
    assert "--pose-limit" in caplog.text


def test_easing_is_the_identity_near_zero_and_smooth():
    small = np.linspace(-0.8, 0.8, 41)
    assert eased(small, 1.0) == pytest.approx(small)
    steps = np.diff(eased(np.linspace(0, 5, 5001), 1.0))
    assert (steps >= 0).all() and np.abs(np.diff(steps)).max() < 1e-5


def test_head_movement_counts_in_head_sizes(model):
    """A driver filmed twice as large moves twice the pixels; the source moves the same share of its head."""
    driving = track()
    coeffs = driving.coeffs.copy()
    coeffs[:, 69] = 0.5  # twice the size
    coeffs[:, 67] = np.linspace(-0.1, 0.1, 50)  # 0.2 head sizes either way
    out = retarget(model, track(1), driving.with_(coeffs=coeffs), TIMES)
    assert out.coeffs[[0, -1], 67] == pytest.approx([-0.05, 0.05], abs=1e-3)


def blink(model, share):
    """(64,) the expression that closes both eyes by a share of the calm opening."""
    measure = opening_rows(model)
    from styleheat_cli.engine.retarget import _calm_openings

    calm = _calm_openings(model, track(1))
    return np.linalg.pinv(measure) @ (-share * calm * [1, 1, 0])


def test_a_closed_eye_is_closed_on_every_face(model):
    """A source with large eyes, of another identity, closes them wholly when the driver does."""
    from styleheat_cli.engine.retarget import _calm_openings

    own = track(1).with_(calm=1.4 * _calm_openings(model, track(1)))
    expression = np.zeros((50, 64))
    expression[20:24] = blink(model, 1.0)
    out = retarget(model, own, track(expression=expression), TIMES)
    openings = _calm_openings(model, own) + out.expression @ opening_rows(model).T
    assert np.abs(openings[20:24, :2]).max() < 1e-3
    assert openings[10, :2] == pytest.approx(_calm_openings(model, own)[:2], rel=0.02)


def test_lips_alone_leave_pose_and_eyes(model):
    expression = np.random.default_rng(0).normal(size=(50, 64))
    out = retarget(model, track(1), track(expression=expression, angles=nodding()), TIMES, Controls(region="lips"))
    assert out.angles == pytest.approx(np.zeros((50, 3)), abs=1e-6)
    offsets = np.tensordot(out.expression, model.expression, axes=1)
    brows, lips = np.abs(offsets[:, [65, 105, 295, 334]]).mean(), np.abs(offsets[:, [13, 14, 61, 291]]).mean()
    assert lips > 8 * brows


def test_pose_alone_leaves_the_expression(model):
    driving = track(expression=np.random.default_rng(1).normal(size=(50, 64)), angles=nodding())
    out = retarget(model, track(1, expression=0.2), driving, TIMES, Controls(region="pose", **FREE))
    assert out.expression == pytest.approx(np.full((50, 64), 0.2), abs=1e-6)
    assert np.ptp(out.angles[:, 0]) > 0.3


def test_the_regions_sum_to_the_whole(model):
    assert sum(region_projections(model).values()) == pytest.approx(np.eye(64), abs=1e-9)


def test_a_driver_is_sampled_by_time(model):
    """At times between its frames the motion is between them."""
    own = track(1)
    driving = track(angles=np.column_stack([np.linspace(0, 0.49, 50), np.zeros((50, 2))]))
    out = retarget(model, own, driving, np.array([0.02, 0.5]), Controls(relative=False, **FREE))
    assert out.angles[:, 0] == pytest.approx([0.005, 0.125], abs=1e-5)


def mouth(model, gap=0.0, width=0.0):
    """(64,) the least expression that parts the lips and widens the mouth by so many head sizes."""
    rows = np.vstack([opening_rows(model)[2], width_row(model)])
    return np.linalg.pinv(rows) @ [gap, width]


def gaps_of(model, motion):
    return openings(model.mean)[2] + motion.expression @ opening_rows(model)[2]


def test_where_the_drivers_lips_meet_an_open_mouth_closes(model):
    own = track(1, expression=mouth(model, 0.2))
    closed = openings(model.mean)[2]
    expression = np.stack([mouth(model, gap) for gap in np.r_[np.full(25, -closed), np.linspace(-closed, 0.3, 25)]])
    gap = gaps_of(model, retarget(model, own, track(expression=expression), TIMES))
    assert np.abs(gap[:20]).max() < 0.02
    assert (np.diff(gap[25:]) > 0).all() and gap[-1] > 0.3
    still = retarget(model, own, track(expression=expression), TIMES, Controls(mouth_gain=0))
    assert gaps_of(model, still) == pytest.approx(closed + 0.2, abs=0.01)


def test_a_smile_gives_way_to_a_mouth_that_moves_and_stays_where_none_does(model):
    own, wide = track(1, expression=mouth(model, 0.0, 0.3)), width_row(model)
    calm = retarget(model, own, track(), TIMES).expression @ wide
    assert calm == pytest.approx(0.3, abs=0.01)
    talk = np.zeros((50, 64))
    talk[10:] = mouth(model, 0.35)
    talking = retarget(model, own, track(expression=talk), TIMES).expression @ wide
    assert talking[30:45].max() < 0.5 * 0.3


def test_a_driver_who_squints_at_rest_still_opens_and_closes_the_eyes(model):
    """Most of the clip screwed up: open is how far this driver opens eyes at all, not what they do at rest."""
    expression = np.repeat(blink(model, 0.6)[None], 50, axis=0)
    expression[35:] = 0
    expression[20:24] = blink(model, 1.0)
    out = retarget(model, track(1), track(expression=expression), TIMES)
    lids = (openings(model.mean) + out.expression @ opening_rows(model).T)[:, 0] / openings(model.mean)[0]
    assert lids[40] == pytest.approx(1, abs=0.05) and lids[22] < 0.05 and 0.1 < lids[5] < 0.45


def test_the_same_face_read_as_another_person_keeps_its_mouth(model):
    """A photo of the driver: from one picture a wide mouth is an expression, from a whole film it is who they are."""
    wide = mouth(model, 0.0, 0.3)
    own = track(1, expression=wide).with_(ease=model.mean)
    driving = track().with_(ease=model.mean + np.tensordot(wide, model.expression, axes=1))
    out = retarget(model, own, driving, TIMES, Controls(anchor="source"))
    assert out.expression @ width_row(model) == pytest.approx(0.3, abs=0.03)


def test_eyes_that_stay_shut_are_shut(model):
    shut = np.repeat(blink(model, 1.0)[None], 50, axis=0)
    out = retarget(model, track(1), track(expression=shut), TIMES)
    assert np.abs((openings(model.mean) + out.expression @ opening_rows(model).T)[:, :2]).max() < 0.02


def test_eyes_that_are_shut_in_a_photo_open_with_the_drivers(model):
    own = track(1, expression=blink(model, 1.0))
    calm = openings(model.mean)[0]
    for anchor, share in (("rest", AWOKEN), (0.0, 0.0)):  # where a moment is named, that one has its eyes shut, too
        out = retarget(model, own, track(), TIMES, Controls(anchor=anchor))
        assert (openings(model.mean) + out.expression @ opening_rows(model).T)[:, :2] / calm == pytest.approx(share, abs=0.03)


def test_a_smile_gives_way_before_a_mouth_gets_wider_than_mouths_are(model):
    row = width_row(model)
    widens = row / (row @ row)
    wide = 0.25 * (1 + np.sin(2 * np.pi * TIMES[:, None]))
    smiling = track(1, expression=0.5 * widens).with_(ease=model.mean)
    ease = mouth_of(model.mean)[1]
    out = ease + retarget(model, smiling, track(expression=wide * widens), TIMES, Controls(anchor=0.75)).expression @ row
    assert np.percentile(out, 90) < WIDE + 0.05 < ease + 0.5 + 0.5
    assert np.corrcoef(out, wide[:, 0])[0, 1] > 0.85
    still = ease + retarget(model, smiling, track(), TIMES).expression @ row
    assert still == pytest.approx(ease + 0.5, abs=0.02)


def test_shoulders_go_the_drivers_way_in_the_sources_head_sizes(model):
    way = np.zeros((50, 4), np.float32)
    way[:, 0], way[:, 2], way[:, 3] = np.linspace(-10, 10, 50), np.linspace(0, 0.1, 50), np.linspace(0.1, 0, 50)
    own, driving = track(1, place=[0, 0, 0.5]), track().with_(shoulders=way)
    out = retarget(model, own, driving, TIMES, Controls(anchor=0.0, **FREE))
    assert out.shoulders[:, 0] == pytest.approx(2 * (way[:, 0] + 10), abs=0.01)  # a head size is 25 px there, 50 here
    assert out.shoulders[:, 1:] == pytest.approx(way[:, 1:] - way[0, 1:], abs=1e-6)
    assert np.median(retarget(model, own, driving, TIMES).shoulders[:, 0]) == pytest.approx(0, abs=0.01)


def test_shoulders_do_not_leave_the_head(model):
    way = np.zeros((50, 4), np.float32)
    way[:, 0] = np.linspace(0, 200, 50)  # eight head sizes
    out = retarget(model, track(1), track().with_(shoulders=way), TIMES, Controls(anchor=0.0, **FREE))
    assert 25 * LEASH < out.shoulders[:, 0].max() < 1.21 * 25 * LEASH and (np.diff(out.shoulders[:, 0]) >= 0).all()


def test_shoulders_stay_where_only_a_face_is_followed_or_nobody_followed_them(model):
    driving = track().with_(shoulders=np.ones((50, 4), np.float32))
    assert retarget(model, track(1), driving, TIMES, Controls(region="lips")).shoulders is None
    assert retarget(model, track(1), track(), TIMES).shoulders is None
