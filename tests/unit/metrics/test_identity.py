"""Likeness by looks, on photographs and on ramps."""

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


@pytest.fixture(scope="module")
def ramps(mesh):
    """Two faces whose looks nobody takes for each other's: one grows lighter downwards, one to the right."""
    down = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 256, 1).repeat(3, 2)
    return View(down, face=mesh), View(down.transpose(1, 0, 2), face=mesh)


def read(generated, source, driving=None):
    return read_all([generated], source, driving)


def read_all(frames, source, *drivers):
    measure = Likeness(Setting())
    for generated, driving in zip(frames, drivers, strict=True):
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


def test_nothing_of_the_driver_came_into_the_photo_and_all_of_it_into_the_driver(ramps):
    photo, driver = ramps
    assert read(photo, photo, driver)["likeness-leak"].value == pytest.approx(0, abs=1e-6)  # looks are float32
    assert read(driver, photo, driver)["likeness-leak"].value == pytest.approx(1, abs=1e-6)
    both = read_all([photo, photo, photo, driver], photo, *[driver] * 4)["likeness-leak"]
    assert (both.value, both.samples, both.better) == (pytest.approx(1 / 4, abs=1e-6), 4, "near 0")


def test_what_came_in_is_the_part_gone_of_the_way_left(ramps):
    photo, driver = ramps
    mixed = View(photo.image // 2 + driver.image // 2, face=photo.face)
    found = read(mixed, photo, driver)
    near, before = found["likeness-driver"].value, found["likeness-driver"].real
    assert found["likeness-leak"].value == pytest.approx((near - before) / (1 - before)) and before < near < 1


def test_of_one_person_it_is_not_told_what_came_in(ramps):
    photo, driver = ramps
    assert read(driver, photo, photo)["likeness-leak"].why == "source and driver look like one person"
    assert read(driver, photo)["likeness-leak"].why == "the driver shows no face"


def test_beside_likeness_stands_how_like_its_first_look_the_driver_stays(ramps):
    photo, driver = ramps
    assert read(photo, photo, driver)["likeness"].real == pytest.approx(1)
    apart = read(photo, driver)["likeness"].value
    assert read_all([photo, photo], photo, driver, photo)["likeness"].real == pytest.approx((1 + apart) / 2)
    assert read(photo, photo)["likeness"].real is None
