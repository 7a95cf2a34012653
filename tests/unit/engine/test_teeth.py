"""The teeth of a smiling photo: kept, on the skull, under the lips."""

import numpy as np
import pytest

from styleheat_cli.engine.plate import drawn
from styleheat_cli.engine.teeth import seen_teeth, show
from styleheat_cli.face.regions import INNER_LIPS

from .test_pictures import jaw_drop, target

BLACK = np.zeros((512, 512, 3), np.uint8)


@pytest.fixture(scope="module")
def teeth(plate):
    return seen_teeth(plate.image, plate.landmarks, plate.place)


def inside(points):
    """(512, 512) bool: well between the lips."""
    return drawn(points[list(INNER_LIPS), :2], (512, 512)) > 0.99


def shown(teeth, points, place):
    image = BLACK.copy()
    show(teeth, image, points, place)
    return image


def test_at_rest_they_are_the_photos_own(teeth, plate):
    image = shown(teeth, plate.vertices, plate.place)
    seen = image.any(-1) & inside(plate.vertices)
    bright = image.min(-1) > 100  # where the layer covers wholly: the teeth themselves
    assert seen.sum() > 1000 and bright.sum() > 500
    assert np.abs(image[bright].astype(int) - plate.image[bright]).mean() < 8


def test_they_stay_on_the_skull_while_the_jaw_drops(teeth, model, plate, fitted):
    rest, dropped = (shown(teeth, target(model, plate, fitted, change), plate.place) for change in (0.0, 0.3 * jaw_drop(model)))
    rows = [np.nonzero(image.min(-1) > 150)[0].mean() for image in (rest, dropped)]
    assert teeth.jaw < 0.5, "a smile, not a wide open mouth"
    assert abs(rows[1] - rows[0]) < 4
    assert (dropped.any(-1) & ~(drawn(target(model, plate, fitted, 0.3 * jaw_drop(model))[list(INNER_LIPS), :2], (512, 512)) > 0)).sum() < 200


def test_a_closed_mouth_has_none(model, plate, fitted):
    closed = plate.landmarks.copy()
    lips = list(INNER_LIPS)
    closed[lips, 1] = closed[lips, 1].mean()
    assert seen_teeth(plate.image, closed, plate.place) is None
