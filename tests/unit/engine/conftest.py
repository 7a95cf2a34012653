"""What the engine's tests share: the embedded family and a public-domain portrait taken apart."""

import numpy as np
import pytest
from skimage import data

from styleheat_cli.engine import Engine
from styleheat_cli.engine.performance import into_crop
from styleheat_cli.engine.plate import make_plate
from styleheat_cli.face.align import crop_image, square, transform
from styleheat_cli.face.landmarks import Landmarker
from styleheat_cli.face.morphable import fit

SIDE = 512


@pytest.fixture(scope="session")
def engine():
    return Engine("default", device="cpu")


@pytest.fixture(scope="session")
def model(engine):
    return engine.morphable


@pytest.fixture(scope="session")
def astronaut():
    """(image, landmarks) of the astronaut's crop at 512."""
    image = data.astronaut()
    with Landmarker() as landmarker:
        points = landmarker.find(image)[0].astype(np.float64)
    crop = transform(square(points)).astype(np.float64)
    return crop_image(image, crop, SIDE), into_crop(points, crop, SIDE)


@pytest.fixture(scope="session")
def fitted(model, astronaut):
    return fit(model, astronaut[1][None])


@pytest.fixture(scope="session")
def plate(model, astronaut, fitted):
    return make_plate(model, *astronaut, fitted)
