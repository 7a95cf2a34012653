"""Eyes: what a photo shows of them is kept, what it does not show is likely, and shut ones open."""

from dataclasses import replace

import numpy as np
import pytest

from styleheat_cli.engine.eyes import BROWN, EYES, FARTHER, eyeball_of, opening, show, wider
from styleheat_cli.engine.fill import drawn
from styleheat_cli.engine.synthesis import warped
from styleheat_cli.face.morphable import openings


def shut(landmarks, by=1.0):
    """Landmarks (478, 3) whose lids have come down by this share."""
    landmarks = landmarks.copy()
    for ring, _iris in EYES:
        lower = np.array([ring[i] for i in range(1, 8)])
        upper = np.array([ring[i] for i in range(15, 8, -1)])
        landmarks[upper, :2] += by * (landmarks[lower, :2] - landmarks[upper, :2])
    return landmarks


@pytest.fixture(scope="module")
def asleep(astronaut):
    """The astronaut's picture with skin over her eyes, and the landmarks of shut ones."""
    image, landmarks = astronaut[0].copy(), astronaut[1]
    skin = np.median(image[landmarks[[119, 348], 1].astype(int), landmarks[[119, 348], 0].astype(int)], 0)
    for ring, _iris in EYES:
        middle = landmarks[list(ring), :2].mean(0)
        image[drawn(middle + 1.3 * (landmarks[list(ring), :2] - middle), image.shape[:2]) > 0] = skin
    return image, shut(landmarks)


def opened(image, landmarks, target, which=0):
    """A copy of a picture with one eye drawn for other landmarks, and that eye's opening (S, S) bool."""
    made = image.copy()
    show(made, image, eyeball_of(image, landmarks, *EYES[which]), target, landmarks, which)
    return made, drawn(target[list(EYES[which][0]), :2], image.shape[:2]) > 0.9


@pytest.mark.parametrize("which", [0, 1])
def test_an_eye_that_is_shut_in_the_photo_opens_with_a_white_and_a_dark_iris(asleep, astronaut, which):
    image, landmarks = asleep
    assert not eyeball_of(image, landmarks, *EYES[which]).seen
    made, inside = opened(image, landmarks, astronaut[1], which)
    tones = made[inside].mean(-1)
    skin = image[inside].mean()
    assert np.percentile(tones, 5) < 0.6 * BROWN.mean() * 255 and np.percentile(tones, 85) > 0.6 * skin
    iris = astronaut[1][EYES[which][1][0], :2]
    rows, columns = np.nonzero(inside & (made.mean(-1) < np.percentile(tones, 15)))
    assert np.hypot(columns.mean() - iris[0], rows.mean() - iris[1]) < 4
    assert (made[~inside] == image[~inside]).mean() > 0.99


def test_a_shut_eye_that_rests_is_not_touched(asleep):
    image, landmarks = asleep
    made, _ = opened(image, landmarks, landmarks)
    assert (made == image).all()


def test_nothing_is_made_up_while_an_eye_is_no_wider_than_in_the_photo(astronaut):
    image, landmarks = astronaut
    target = landmarks + [3.0, 2.0, 0.0]
    ball = eyeball_of(image, landmarks, *EYES[0])
    show(image.copy(), image, replace(ball, likely=lambda: pytest.fail("made up")), target, landmarks, 0)


def test_what_is_made_up_comes_in_the_farther_an_eye_opens(astronaut):
    image, landmarks = astronaut
    ring = list(EYES[0][0])
    width = np.linalg.norm(landmarks[ring[8], :2] - landmarks[ring[0], :2])
    half, differs = shut(landmarks, 0.5), []
    ball = eyeball_of(image, half, *EYES[0])
    for by in (0.45, 0.25, 0.0):
        target = shut(landmarks, by)
        plain, made = image.copy(), image.copy()
        show(made, image, ball, target, half, 0)
        show(plain, image, replace(ball, likely=lambda: ball.patch), target, half, 0)
        differs.append(np.abs(made.astype(int) - plain).mean())
        farther = opening(target[ring, :2]) / width - ball.open
        assert (differs[-1] > 0) == (farther > FARTHER[0])
    assert differs[0] < differs[1] < differs[2]


def test_a_lid_that_comes_down_is_skin_and_not_its_lashes_stretched(engine, model, plate, fitted):
    from styleheat_cli.engine.retarget import opening_rows

    from .test_pictures import target

    rows = opening_rows(model)[:2]
    gaps = openings(model.shape(fitted.identity, fitted.expression, fitted.angles)[0])[:2]
    down = np.linalg.pinv(rows) @ -gaps
    made = warped(plate, target(model, plate, fitted, down), engine.triangles).image
    for which, (ring, _iris) in enumerate(EYES):
        own = plate.eyeballs[which].lid()
        outline = plate.landmarks[list(ring), :2]
        x, upper = outline.mean(0)[0], outline[:, 1].min()
        lid = made[int(upper) + 1 : int(upper) + 4, int(x) - 6 : int(x) + 7].astype(float).mean((0, 1))
        lashes = plate.image[int(upper) - 1 : int(upper) + 2, int(x) - 6 : int(x) + 7].astype(float).mean((0, 1))
        assert lid.mean() > lashes.mean() + 25 and np.abs(lid - own.skin[own.where > 0.5].mean(0)).max() < 30


def test_a_grey_photo_gets_grey_eyes(asleep, astronaut):
    image = asleep[0].mean(-1, keepdims=True).astype(np.uint8).repeat(3, -1)
    made, inside = opened(image, asleep[1], astronaut[1])
    assert (made[inside] != image[inside]).any() and np.ptp(made.astype(int), axis=-1).max() <= 1


def test_of_two_moments_the_eye_that_is_seen_better_counts_under_the_lid_of_its_own(astronaut, asleep):
    seen, unseen = eyeball_of(*astronaut, *EYES[0]), eyeball_of(*asleep, *EYES[0])
    both = wider(unseen, seen)
    assert both.patch is seen.patch and both.lid is unseen.lid
    assert wider(seen, unseen) is seen and wider(unseen, None) is unseen and wider(None, seen) is None
