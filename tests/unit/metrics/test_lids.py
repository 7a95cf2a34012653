"""Lids: only shut eyes count, each by itself, and only what lies at them."""

import numpy as np
import pytest

from styleheat_cli.engine.eyes import EYES
from styleheat_cli.metrics.lids import Lids
from styleheat_cli.metrics.metric import Moment, Setting, View


def face(*gaps):
    """Landmarks of two eyes of 40 px that are open by so many px."""
    points = np.zeros((478, 3), np.float32)
    for (ring, _), x, gap in zip(EYES, (60, 140), gaps, strict=True):
        along = np.linspace(-20, 20, 9)
        bow = gap / 2 * (1 - (along / 20) ** 2)
        lower, upper = np.stack([along + x, 100 + bow], -1), np.stack([along + x, 100 - bow], -1)
        points[list(ring), :2] = np.concatenate([lower, upper[-2:0:-1]])
    return points


def read(real, made, at):
    found = Lids(Setting())
    for landmarks in at:
        found.update(Moment(View(made, face=landmarks), reference=View(real, face=landmarks)))
    return found.readings()[0]


def test_shut_eyes_count_and_nothing_else_does():
    real = np.full((200, 200, 3), 100, np.uint8)
    made = real.copy()
    made[80:120, 110:170] = 130
    made[:60], made[150:] = 0, 255
    assert read(real, real, [face(0, 0)]).value == 0 and read(real, real, [face(0, 0)]).samples == 2
    assert read(real, made, [face(0, 0)]).value == pytest.approx(15, abs=0.1), "one eye is 30 levels off"
    both = read(real, made, [face(8, 0), face(0, 8), face(8, 8)])
    assert both.value == pytest.approx(15, abs=0.1) and both.samples == 2


def test_a_face_that_never_shuts_its_eyes_gives_no_number():
    found = read(np.zeros((200, 200, 3), np.uint8), np.zeros((200, 200, 3), np.uint8), [face(9, 9)])
    assert found.value is None and "never" in found.why


def test_an_eye_counts_where_the_detector_loses_what_was_made_of_it():
    real, made = np.full((200, 200, 3), 100, np.uint8), np.full((200, 200, 3), 140, np.uint8)
    lids = Lids(Setting())
    assert lids.update(Moment(View(made), reference=View(real, face=face(0, 0)))) == pytest.approx(40)
    assert lids.update(Moment(View(made, face=face(0, 0)), reference=View(real))) is None
