"""A head and face moved by hand: curves through keyframes, spans of time, and what the axes do to a motion and a face."""

import numpy as np
import pytest

from styleheat_cli.engine.puppet import EASINGS, POSE, curve, moved, within
from styleheat_cli.engine.retarget import Controls, opening_rows, region_projections, width_row
from styleheat_cli.face.axes import AXES, EYEBALL, NAMES, change, directions, measures
from styleheat_cli.face.morphable import openings
from styleheat_cli.shot import ANGLES, EXPRESSION, TRANSLATION, MotionTrack, Shot


def track(count=3, expression=0.0):
    """A motion that rests in the middle of a 100 px crop."""
    coeffs = np.zeros((count, 73), np.float32)
    coeffs[:, EXPRESSION] = expression
    coeffs[:, 67:73] = [0.1, 0.0, 0.25, 100, 50, 50]
    return MotionTrack(coeffs, np.arange(count) / 25)


def shaped(model, expression):
    return model.mean + np.tensordot(expression, model.expression, axes=1)


@pytest.mark.parametrize(("easing", "halves"), [("linear", 0.5), ("smooth", 0.5), ("in", 0.25), ("out", 0.75), ("hold", 0.0)])
def test_an_easing_goes_from_0_to_1_and_is_known_half_way(easing, halves):
    assert EASINGS[easing](np.array([0.0, 0.5, 1.0])) == pytest.approx([0, halves, 1])


def test_a_curve_passes_its_keyframes_and_holds_both_ends():
    keys = [(1.0, 2.0, "smooth"), (2.0, 4.0, "linear"), (4.0, -2.0, "hold"), (5.0, 0.0, "smooth")]
    times = np.array([0.0, 1.0, 1.25, 2.0, 3.9, 4.0, 4.25, 5.0, 9.0])
    assert curve(times, keys) == pytest.approx([2, 2, 2.5, 4, 4, -2, -2 + 2 * 0.15625, 0, 0])


def test_a_curve_of_one_keyframe_is_constant():
    assert curve(np.array([0.0, 1.0, 2.0]), [(1.0, 0.5, "smooth")]) == pytest.approx([0.5] * 3)


def test_a_span_fades_inside_its_ends_and_is_nothing_outside():
    times = np.array([0.0, 1.0, 1.1, 1.2, 2.0, 2.9, 3.0, 4.0])
    assert within(times, 1.0, 3.0, 0.2) == pytest.approx([0, 0, 0.5, 1, 1, 0.5, 0, 0])
    assert within(times, 1.0, None, 0.0) == pytest.approx([0, 1, 1, 1, 1, 1, 1, 1])
    assert within(times, None, 3.0, 0.0) == pytest.approx([1, 1, 1, 1, 1, 1, 0, 0])


def test_angles_zoom_and_shift_are_added_in_their_units(model):
    wanted = {"yaw": [10, 20, 0], "pitch": [0, 0, -5], "roll": [0, 0, 90], "zoom": np.log([1, 2, 1]), "shift_x": [1, 0, 0]}
    made = moved(model, track(), {name: np.array(v, float) for name, v in wanted.items()}, "all")
    turned = np.degrees(made.coeffs[:, ANGLES]) / [*POSE.values()]
    assert turned == pytest.approx(np.array([[0, 10, 0], [0, 20, 0], [-5, 0, 90]]), abs=1e-4)
    assert made.coeffs[:, TRANSLATION] == pytest.approx(np.array([[0.35, 0, 0.25], [0.1, 0, 0.5], [0.1, 0, 0.25]]), abs=1e-6)


@pytest.mark.parametrize("angles", [{"pitch": 15.0}, {"pitch": -15.0, "yaw": 20.0}])
def test_a_turn_leaves_lids_and_lips_as_they_were(model, angles):
    made = moved(model, track(1), {name: np.array([degrees]) for name, degrees in angles.items()}, "pose")
    nobody = np.zeros(len(model.identity))
    kept, bent = (openings(model.shape(nobody, expression, made.angles))[0] for expression in (made.expression, 0 * made.expression))
    assert kept == pytest.approx(openings(model.mean), abs=1e-6) and np.abs(bent - kept).max() > 0.04


def test_coefficients_are_added_as_they_are(model):
    made = moved(model, track(2, expression=0.5), {3: np.array([1.5, -1.0])}, "all")
    assert made.coeffs[:, 3] == pytest.approx([2.0, -0.5]) and made.coeffs[:, 4] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(("region", "still"), [("pose", EXPRESSION), ("expression", slice(64, 73))])
def test_a_region_leaves_the_rest_as_it_was(model, region, still):
    wanted = {"roll": np.full(3, 10.0), "zoom": np.full(3, 0.1), "smile": np.ones(3)}
    before, made = track(), moved(model, track(), wanted, region)
    assert (made.coeffs[:, still] == before.coeffs[:, still]).all() and (made.coeffs != before.coeffs).any()


def test_the_lips_region_keeps_a_smile_and_drops_a_blink(model):
    smile = moved(model, track(1), {"smile": np.ones(1)}, "lips").expression[0]
    blink = moved(model, track(1), {"blink_left": np.ones(1)}, "lips").expression[0]
    rise = measures(shaped(model, smile)) - measures(model.mean)
    assert rise[NAMES.index("lip_corners")] > 0.15
    assert abs(measures(shaped(model, blink)) - measures(model.mean))[NAMES.index("left_eye")] < 0.03
    assert region_projections(model)["lips"].shape == (64, 64)


def test_a_direction_moves_one_measure_by_a_head_size_and_no_other(model):
    gained = measures(np.tensordot(directions(model), model.expression, axes=1))
    strict = [place for place, name in enumerate(NAMES) if name != "lower_lids"]
    assert gained[strict][:, strict] == pytest.approx(np.eye(len(strict)), abs=1e-6)


def test_an_axis_leaves_skin_far_from_it_at_rest(model):
    chin = 152
    lift = np.tensordot(moved(model, track(1), {"brows_up": np.ones(1)}, "all").expression[0], model.expression, axes=1)
    assert np.linalg.norm(lift[chin]) < 0.04 < 0.15 < np.linalg.norm(lift[105])


@pytest.mark.parametrize("opening", [0.05, 0.16, 0.3])
def test_a_blink_shuts_an_eye_however_far_it_is_open(model, opening):
    calm = np.array([opening, opening, 0.0])
    closing = change(model, {"blink_left": np.ones(1)}, np.zeros((1, 64)), calm) @ openings(model.expression)
    assert closing[0] == pytest.approx([-opening, 0, 0], abs=1e-6)


def test_a_squint_on_top_of_half_a_blink_closes_what_is_left_by_its_share(model):
    calm = np.array([0.2, 0.2, 0.0])
    values = {"blink_left": np.array([0.5]), "squint": np.array([1.0])}
    left = calm + change(model, values, np.zeros((1, 64)), calm) @ openings(model.expression)
    assert left[0, :2] == pytest.approx([0.2 * 0.5 * 0.35, 0.2 * 0.35], abs=1e-6)


def test_a_negative_jaw_closes_an_open_mouth_and_leaves_a_closed_one(model):
    for apart in (0.3, 0.0):
        calm = np.array([0.16, 0.16, apart])
        closing = change(model, {"jaw_open": np.array([-1.0])}, np.zeros((1, 64)), calm) @ openings(model.expression)
        assert closing[0, 2] == pytest.approx(-apart, abs=1e-6)


def test_gaze_moves_the_irises_by_the_turn_of_an_eyeball(model):
    calm = openings(model.mean)
    added = change(model, {"gaze_x": np.array([30.0]), "gaze_y": np.array([-20.0])}, np.zeros((1, 64)), calm)
    gained = measures(np.tensordot(added, model.expression, axes=1))[0]
    assert gained[NAMES.index("gaze_x")] == pytest.approx(EYEBALL / 2)
    assert gained[NAMES.index("gaze_y")] == pytest.approx(-EYEBALL * np.sin(np.radians(20)))


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_asks_nothing_at_rest_and_stays_plausible_at_its_end(model, axis):
    end = {"gaze_x": 30.0, "gaze_y": 20.0}.get(axis, 1.0)
    none, full = change(model, {axis: np.array([0.0, end])}, np.zeros((2, 64)), openings(model.mean))
    assert none == pytest.approx(np.zeros(64), abs=1e-9)
    assert 1 < np.linalg.norm(full) < 12, "a face of the clips is about 8 standard deviations from the mean, all 64 together"


def test_a_driver_that_follows_adds_to_what_the_hand_did(engine, model):
    own, driver = track(1), track(10)
    driver.coeffs[:, ANGLES] = 0.01 * np.arange(10)[:, None]
    edited = moved(model, own, {"yaw": np.array([5.0]), "smile": np.ones(1)}, "all")
    shot = Shot(None, None, own, edited, None)
    made = engine.retarget(shot, driver, driver.times, Controls(anchor=0.0))
    assert np.degrees(made.angles[:, 1]) == pytest.approx(5 * POSE["yaw"] + np.degrees(0.01) * np.arange(10), abs=1e-4)
    closing = np.linalg.pinv(np.vstack([opening_rows(model), width_row(model)]))[:, 2]
    without = np.eye(64) - np.outer(closing, closing) / (closing @ closing)  # of lips that meet where the driver's do
    assert made.expression @ without == pytest.approx(np.repeat(edited.expression @ without, 10, axis=0), abs=0.01)
