"""What was asked by numbers against what is seen: slopes and shares on numbers, and on a real face."""

from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.engine import Engine
from styleheat_cli.errors import FaceError
from styleheat_cli.face.axes import NAMES, measures
from styleheat_cli.face.regions import LEFT_IRIS, LEFT_LIDS, RIGHT_IRIS
from styleheat_cli.metrics.asked import JUDGED, TURNS, asked, asks, ranges, selectivities, slopes, with_gaze_seen
from styleheat_cli.ops.edit_3dmm import bounds, performed

LOOKS = asks(bounds())
REST = np.zeros(len(NAMES) + 3)
REST[[NAMES.index("left_eye"), NAMES.index("right_eye")]] = 0.16


def seen(gain=1.0, leak=0.0):
    """What a judge sees of two faces that do what is asked, times a gain, and something else besides."""
    span = ranges(bounds(), REST)
    rows = np.repeat(REST[None], len(LOOKS), axis=0)
    for row, look in enumerate(LOOKS):
        for name, value in look.items():
            if name in TURNS:
                rows[row, len(NAMES) + ("pitch", "yaw", "roll").index(name)] = gain * value
            else:
                rows[row] += leak * span * (np.arange(len(span)) == NAMES.index("mouth_width"))
                rows[row, NAMES.index("right_eye" if name == "blink_right" else "left_brow")] += 0.5 * span[NAMES.index("left_brow")]
    return np.stack([rows, rows])


def test_everything_is_asked_once_and_nothing_first():
    assert LOOKS[0] == {} and all(len(look) == 1 for look in LOOKS[1:])
    ends = {(name, value) for look in LOOKS for name, value in look.items()}
    assert {("yaw", -20), ("pitch", 15), ("roll", 20), ("smile", 1), ("blink_left", -0.4), ("gaze_y", -20)} <= ends
    assert len(ends) == len(LOOKS) - 1 and all(value for _, value in ends)


@pytest.mark.parametrize("gain", [1.0, 0.8])
def test_a_slope_is_seen_degrees_over_asked_ones(gain):
    for reading in slopes(LOOKS, seen(gain)):
        assert reading.value == pytest.approx(gain) and reading.pairs == 2 and reading.spread == pytest.approx(0, abs=1e-9)


def test_an_eye_that_is_shut_looks_where_it_looked():
    """Landmarks of irises under lids are guesses; those between lids count."""
    first = Engine("default", device="cpu").morphable.mean.astype(float)
    shut = first.copy()
    shut[[*LEFT_IRIS, *RIGHT_IRIS], 1] += 0.1
    upper, lower = np.array(LEFT_LIDS).T
    shut[upper, 1] = shut[lower, 1] - 0.3 * (first[lower, 1] - first[upper, 1])
    seen = with_gaze_seen(shut, first)
    assert (seen[list(LEFT_IRIS)] == first[list(LEFT_IRIS)]).all() and (seen[list(RIGHT_IRIS)] == shut[list(RIGHT_IRIS)]).all()
    gaze = NAMES.index("gaze_y")
    assert measures(seen)[gaze] - measures(first)[gaze] == pytest.approx(-0.05) and (shut[list(LEFT_IRIS)] != seen[list(LEFT_IRIS)]).any()


def test_an_axis_counts_by_what_it_names_over_the_most_of_anything_else():
    found = {reading.name: reading.value for reading in selectivities(LOOKS, seen(leak=0.1), bounds())}
    assert found["brows_up-over-others[against mouth_width]"] == pytest.approx(5)
    assert found["smile-over-others[against left_brow]"] == pytest.approx(0.2), "it names the width, and moves a brow"


def test_the_table_shows_every_reading():
    from styleheat_cli.metrics.tables import SHOWN

    found = [reading.name for reading in (*slopes(LOOKS, seen()), *selectivities(LOOKS, seen(), bounds()))]
    assert [name.partition("[")[0] for name in found] == list(SHOWN["edit-3dmm"])


def test_every_judged_measure_has_a_range_that_some_axis_asks_of_it():
    span = dict(zip([*NAMES, "pitch", "yaw", "roll"], ranges(bounds(), REST), strict=True))
    assert all(span[name] > 0.05 for name in JUDGED)
    assert (span["pitch"], span["yaw"], span["roll"]) == (30, 40, 40)
    assert span["left_eye"] == pytest.approx(0.16 * 1.4) and span["lips_apart"] == pytest.approx(0.45 + 0.05)


def test_a_portrait_without_a_face_is_told_and_the_rest_goes_on():
    def faceless(path, looks):
        raise FaceError(f"no face in {path.name}")

    found = asked([Path("wall.png")], bounds(), faceless, "ours")
    assert found["failed"] == {"wall.png": "no face in wall.png"} and found["methods"] == {}


@pytest.mark.slow
def test_the_astronaut_turns_as_asked_and_moves_what_is_named():
    from styleheat_cli.commands.demo import portrait
    from styleheat_cli.engine import Engine

    engine = Engine("default", device="cpu")
    found = asked([portrait()], bounds(), lambda path, looks: performed(engine, path, looks), "ours")
    values = {name.partition("[")[0]: reading["value"] for name, reading in found["methods"]["ours"]["metrics"].items()}
    for angle in TURNS:
        assert 0.8 < values[f"{angle}-slope"] < 1.25, angle
    over = {name: value for name, value in values.items() if "over-others" in name}
    assert min(over.values()) > 1.8, over  # of one face; five times, for the mean of many, is what `make evaluate` shows
