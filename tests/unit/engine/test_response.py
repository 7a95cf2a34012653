"""Response: what is seen of a mouth's movement, measured on pictures and made up for."""

import numpy as np
import pytest

from styleheat_cli.engine.response import LEAST, USUAL, Response, made_up_for, measured, mouth, mouth_moves, probes
from styleheat_cli.engine.retarget import opening_rows, width_row
from styleheat_cli.face.axes import NAMES, measures
from styleheat_cli.face.morphable import placed, rotation
from styleheat_cli.shot import Person


@pytest.fixture(scope="module")
def person(model):
    return Person(np.zeros(len(model.identity)), np.zeros_like(model.mean))


def parted(model, gap, width=0.0):
    """(478, 3): the mean face with the lips parted and the mouth widened by so many head sizes."""
    rows = np.vstack([opening_rows(model), width_row(model)])
    return model.mean + np.tensordot(np.linalg.pinv(rows)[:, 2:] @ [gap, width], model.expression, axes=1)


def own(model, shape=None):
    return np.append(mouth(model.mean if shape is None else shape), [0, 0, 0])


def seen_by(model, person, share):
    """What is measured where a share of each movement is seen; the performance parts the lips by up to 0.4 and nods by 0.3."""
    gaps, nods = np.linspace(0, 0.4, 30), np.linspace(-0.3, 0.3, 30)

    def ask(row):
        return np.append(mouth(parted(model, gaps[row], -gaps[row])), [nods[row], 0, 0])

    def look(row):
        shape, turn = parted(model, share * gaps[row], -share * gaps[row]), rotation(np.array([[share * nods[row], 0, 0]]))
        return placed(shape[None], np.array([60.0]), turn, np.array([[256.0, 256.0, 0.0]]))[0]

    return measured(model, person, own(model), gaps, nods, ask, look)


def test_what_is_seen_in_full_needs_nothing(model, person):
    assert seen_by(model, person, 1.0).seen == pytest.approx(np.ones(5), abs=0.08)


def test_what_is_seen_by_a_part_is_found_and_made_up_for(model, person):
    response = seen_by(model, person, 0.8)
    assert response.seen[:3] == pytest.approx([0.8, 0.8, 0.8], abs=0.08)
    asked = parted(model, 0.2, 0.1)
    change = mouth(made_up_for(response, model, mouth_moves(model), asked)) - mouth(model.mean)
    assert change == pytest.approx([0.2, 0.1] / response.seen[:2], abs=1e-6)


def test_it_is_made_up_for_within_limits_and_not_where_no_face_is_found(model, person):
    assert seen_by(model, person, 0.3).seen[:3] == pytest.approx(LEAST[:3])
    wide = np.append(mouth(parted(model, 0.3)), [0, 0, 0])
    blind = measured(model, person, own(model), np.linspace(0, 0.4, 9), np.zeros(9), lambda row: wide, lambda row: None)
    assert blind.seen.tolist() == USUAL.tolist()


def test_a_gap_that_a_tracker_sees_between_lips_that_meet_tells_nothing(model, person):
    """A photo with an open mouth whose lips meet in most of the performance, where 0.1 head sizes are read between them."""
    closed, gaps = float(mouth(model.mean)[0]), np.r_[np.full(24, 0.0), np.linspace(0.1, 0.5, 6)]

    def ask(row):
        return np.append(mouth(parted(model, gaps[row] - closed)), [0, 0, 0])

    def look(row):
        shape = parted(model, max(gaps[row], 0.1) - closed)
        return placed(shape[None], np.array([60.0]), np.eye(3)[None], np.array([[256.0, 256.0, 0.0]]))[0]

    response = measured(model, person, own(model, parted(model, 0.3 - closed)), gaps, np.zeros(30), ask, look)
    assert response.seen[0] == pytest.approx(1, abs=0.08)


def test_lips_that_meet_still_meet(model):
    closed = -float(mouth(model.mean)[0])
    pressed = parted(model, closed - 0.02)
    for shape in (model.mean, parted(model, 0.3)):
        made = made_up_for(Response(own(model, shape), np.array([0.65, 1.0, 1, 1, 1])), model, mouth_moves(model), pressed)
        assert mouth(made)[0] == pytest.approx(-0.02, abs=1e-6)


def test_few_pictures_are_looked_at_the_most_and_the_least_of_all():
    gap, pitch = np.random.default_rng(0).normal(size=(2, 500))
    rows = probes(gap, pitch)
    assert len(rows) <= 8 and {int(each) for series in (gap, pitch) for each in (series.argmin(), series.argmax())} <= set(rows.tolist())
    assert probes(gap[:1], pitch[:1]).tolist() == [0]


def test_a_mouth_that_is_made_wider_keeps_its_corners_height(model):
    response = Response(own(model), np.array([0.8, 0.7, 1, 1, 1]))
    asked = parted(model, 0.2, 0.3)
    before, after = (measures(shape)[NAMES.index("lip_corners")] for shape in (asked, made_up_for(response, model, mouth_moves(model), asked)))
    assert after == pytest.approx(before, abs=1e-6)
