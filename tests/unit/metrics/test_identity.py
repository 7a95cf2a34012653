"""Likeness by looks, on photographs."""

import numpy as np
import pytest

from styleheat_cli.face.landmarks import Landmarker
from styleheat_cli.media.still import read_image
from styleheat_cli.metrics.identity import Likeness
from styleheat_cli.metrics.metric import Moment, Setting, View


@pytest.fixture(scope="module")
def view(shared):
    def of(name):
        image = read_image(shared / "data/portraits" / name)
        with Landmarker() as landmarker:
            return View(image, face=max(landmarker.find(image), key=lambda points: np.ptp(points[:, 1])))

    return of


def read(generated, source, driving=None):
    measure = Likeness(Setting())
    measure.update(Moment(generated, driving=driving, source=source))
    return {reading.name.split("[")[0]: reading for reading in measure.readings()}


def test_a_photo_is_like_itself_and_unlike_others(view):
    names = ("AdamSchiff.jpg", "hallo_6.jpg", "skyreels_19.jpg", "artalk_9.jpg")
    views = [view(name) for name in names]
    for own in views:
        assert read(own, own)["likeness"].value == pytest.approx(1)
        assert all(read(own, other)["likeness"].value < 0.84 for other in views if other is not own)


def test_the_driver_is_compared_with_the_photo_as_well(view):
    photo, driver = view("AdamSchiff.jpg"), view("hallo_6.jpg")
    found = read(photo, photo, driver)["likeness-driver"]
    assert found.value == pytest.approx(found.real) and found.value < 0.84 and found.better == "lower"
    assert read(photo, photo, photo)["likeness-driver"].better == "higher"  # one person
    assert read(photo, photo)["likeness-driver"].value is None
