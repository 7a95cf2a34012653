"""Eyes: what a photo shows of them is kept, what it does not show is likely, and shut ones open."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from styleheat_cli.engine import Engine
from styleheat_cli.engine.eyes import BROWN, EYES, FARTHER, down, eyeball_of, opening, show, still_open, wider
from styleheat_cli.engine.fill import drawn
from styleheat_cli.engine.heal import eye_opening, heal_lids, inverted, lids_outline
from styleheat_cli.engine.lashes import DARKEST, FOLLOWS, LINE, draw_lashes
from styleheat_cli.engine.mesh import target_mesh
from styleheat_cli.engine.performance import into_crop, make_stage, picture, target_of
from styleheat_cli.engine.plate import make_plate, repainted, with_open_eyes
from styleheat_cli.engine.retarget import opening_rows
from styleheat_cli.engine.stream import shot_of
from styleheat_cli.engine.synthesis import Warped, warped
from styleheat_cli.face.align import crop_image, square, transform
from styleheat_cli.face.landmarks import Landmarker
from styleheat_cli.face.morphable import fit, openings, rotation
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.metrics.lids import shut_eye
from styleheat_cli.shot import EXPRESSION, Frame

from .test_pictures import target as mesh

SIDE = 512
AT = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).astype(np.float32)  # nothing moves but the eyes


def shut(landmarks, by=1.0):
    """Landmarks (478, 3) whose lids have come down by this share."""
    landmarks = landmarks.copy()
    for ring, _iris in EYES:
        lower = np.array([ring[i] for i in range(1, 8)])
        upper = np.array([ring[i] for i in range(15, 8, -1)])
        landmarks[upper, :2] += by * (landmarks[lower, :2] - landmarks[upper, :2])
    return landmarks


@pytest.fixture(scope="module")
def head(fitted):
    return float(fitted.scale[0])


@pytest.fixture(scope="module")
def asleep(astronaut):
    """The astronaut's picture with skin over her eyes, and the landmarks of shut ones."""
    image, landmarks = astronaut[0].copy(), astronaut[1]
    skin = np.median(image[landmarks[[119, 348], 1].astype(int), landmarks[[119, 348], 0].astype(int)], 0)
    for ring, _iris in EYES:
        middle = landmarks[list(ring), :2].mean(0)
        image[drawn(middle + 1.3 * (landmarks[list(ring), :2] - middle), image.shape[:2]) > 0] = skin
    return image, shut(landmarks)


def opened(image, landmarks, target, head, which=0):
    """A copy of a picture with one eye drawn for other landmarks, and that eye's opening (S, S) bool."""
    made = image.copy()
    show(made, 0 * image, eyeball_of(image, landmarks, which, head), which, target, landmarks, AT, head)
    return made, drawn(target[list(EYES[which][0]), :2], image.shape[:2]) > 0.9


@pytest.mark.parametrize("which", [0, 1])
def test_an_eye_that_is_shut_in_the_photo_opens_with_a_white_and_a_dark_iris(asleep, astronaut, head, which):
    image, landmarks = asleep
    assert not eyeball_of(image, landmarks, which, head).seen
    made, inside = opened(image, landmarks, astronaut[1], head, which)
    tones = made[inside].mean(-1)
    skin = image[inside].mean()
    assert np.percentile(tones, 5) < 0.6 * BROWN.mean() * 255 and np.percentile(tones, 85) > 0.6 * skin
    iris = astronaut[1][EYES[which][1][0], :2]
    rows, columns = np.nonzero(inside & (made.mean(-1) < np.percentile(tones, 15)))
    assert np.hypot(columns.mean() - iris[0], rows.mean() - iris[1]) < 4
    assert (made != image).any(-1).sum() < 2 * inside.sum(), "but for the soft edge of the lids nothing else changes"


def test_a_shut_eye_that_rests_is_not_touched(asleep, head):
    image, landmarks = asleep
    made, _ = opened(image, landmarks, landmarks, head)
    assert (made == image).all()


@pytest.mark.parametrize("turn", [0.0, 0.45])
def test_nothing_is_made_up_while_an_eye_is_no_wider_than_in_the_photo(model, plate, fitted, head, turn):
    """Nor where a turned head shows it narrower, and so higher for its width."""
    target = mesh(model, plate, fitted, turn=(0, turn, 0)) + [3.0, 2.0, 0.0]
    for which, ball in enumerate(plate.eyeballs):
        never = replace(ball, likely=lambda: pytest.fail("made up"))
        show(plate.image.copy(), plate.image, never, which, target, plate.vertices, AT, head)


def test_what_is_made_up_comes_in_the_farther_an_eye_opens(astronaut, head):
    image, landmarks = astronaut
    half, differs = shut(landmarks, 0.5), []
    ball = eyeball_of(image, half, 0, head)
    for by in (0.45, 0.25, 0.0):
        target = shut(landmarks, by)
        plain, made = image.copy(), image.copy()
        show(made, image, ball, 0, target, half, AT, head)
        show(plain, image, replace(ball, likely=lambda: ball.patch), 0, target, half, AT, head)
        differs.append(np.abs(made.astype(int) - plain).mean())
        farther = opening(target[list(EYES[0][0]), :2]) / head - ball.open
        assert (differs[-1] > 0) == (farther > FARTHER[0])
    assert differs[0] < differs[1] < differs[2]


def closing(model, fitted):
    """(64,) the change of expression that shuts both eyes."""
    gaps = openings(model.shape(fitted.identity, fitted.expression, fitted.angles)[0])[:2]
    return np.linalg.pinv(opening_rows(model)[:2]) @ -gaps


def lids(image, landmarks):
    """(2, 3) RGB between where upper lids were and where they are shut."""
    found = []
    for ring, _iris in EYES:
        outline = landmarks[list(ring), :2]
        x, upper = int(outline.mean(0)[0]), int(outline[:, 1].min())
        found.append(image[upper + 1 : upper + 4, x - 6 : x + 7].astype(float).mean((0, 1)))
    return np.array(found)


def lashes(plate):
    """(2,) brightness of the rims of open upper lids."""
    return lids(np.roll(plate.image, 2, axis=0), plate.landmarks).mean(-1)


def test_a_lid_that_comes_down_is_skin_and_not_its_lashes_stretched(engine, model, plate, fitted):
    made = warped(plate, mesh(model, plate, fitted, closing(model, fitted)), engine.triangles).image
    assert (lids(made, plate.landmarks).mean(-1) > lashes(plate) + 25).all()


@pytest.mark.parametrize("tilt", [0.0, 0.5, np.pi])
def test_lashes_lie_below_the_line_of_the_lids_however_a_head_is_tilted(tilt):
    """An eye of 100 pixels in plain skin, its lids shut along a straight line."""
    along, up = np.array([np.cos(tilt), np.sin(tilt)]), np.array([np.sin(tilt), -np.cos(tilt)])
    places = np.linspace(-50, 50, 9)
    line = 150 + places[:, None] * along
    image = np.full((300, 300, 3), 200, np.uint8)
    draw_lashes(image, np.concatenate([line, line[-2:0:-1]]), 100.0, 0.5, 1.0, 0.0)
    dark = 1 - DARKEST - 0.5 * FOLLOWS

    def tone(right, over):
        x, y = np.round(149.5 + right * along + over * up).astype(int)
        return float(image[y, x, 0])

    assert tone(0, -30) == tone(0, 25) == 200
    for over, share in zip(*LINE[:, 2:-2], strict=True):
        assert tone(0, 100 * over) == pytest.approx(200 * (1 - dark * share), abs=8)
    assert min(tone(-44, -8), tone(44, -8)) > tone(0, -8) + 20, "thinner near the corners"
    assert tone(-53, 0) == tone(53, 0) == 200


def test_a_turned_eye_is_narrower_and_its_lashes_as_thick():
    """Half as wide, as seen from the side: what lies over and under the line is the same."""
    tones = []
    for width in (100, 50):
        line = np.stack([np.linspace(-width / 2, width / 2, 9), np.zeros(9)], -1) + 150
        image = np.full((300, 300, 3), 200, np.uint8)
        draw_lashes(image, np.concatenate([line, line[-2:0:-1]]), 100.0, 0.5, 1.0, 0.0)
        tones.append(image[:, 150, 0].astype(int))
    assert np.abs(tones[0] - tones[1]).max() <= 2


def test_a_clips_own_shut_eye_that_rests_is_no_lid_that_comes_down(plate, astronaut, head):
    """The eyeball is that of a frame before, when it was open."""
    asleep = shut(astronaut[1])
    for which, ball in enumerate(plate.eyeballs):
        assert down(still_open(ball, which, asleep, asleep, head)) == 0
        assert down(still_open(ball, which, asleep, astronaut[1], head)) == 1


def test_lashes_of_a_shut_eye_are_the_darker_the_darker_those_of_the_open_one_are(engine, model, plate, fitted):
    target, tones = mesh(model, plate, fitted, closing(model, fitted)), []
    for line in (0.2, 0.9):
        balls = tuple(replace(ball, line=line) for ball in plate.eyeballs)
        image = warped(replace(plate, eyeballs=balls), target, engine.triangles).image
        tones.append([image[drawn(target[list(ring), :2], image.shape[:2]) > 0].mean() for ring, _iris in EYES])
    assert (np.subtract(*tones[::-1]) > 15).all()


def healed(engine, plate, target, made, which, share=1.0):
    """A copy of a warped picture with the lids of one eye healed."""
    image = made.image.copy()
    feature = inverted(engine.healing, plate.image, eye_opening(plate.landmarks * (SIDE / plate.side), which))
    heal_lids(engine.healing, feature, image, target, made.source_at, np.zeros(67, np.float32), which, share)
    return image


@pytest.mark.parametrize("side", [256, 333, 512, 768])
def test_a_healed_lid_changes_in_light_and_shade_and_nothing_round_it_does(engine, model, astronaut, side):
    scale = side / SIDE
    image, landmarks = cv2.resize(astronaut[0], (side, side), interpolation=cv2.INTER_CUBIC), astronaut[1] * scale
    fitted = fit(model, landmarks[None])
    plate = make_plate(model, image, landmarks, fitted)
    target = mesh(model, plate, fitted, closing(model, fitted))
    made = warped(plate, target, engine.triangles)
    assert (healed(engine, plate, target, made, 0, share=0.0) == made.image).all()
    changed = healed(engine, plate, target, made, 0).astype(float) - made.image
    outline = lids_outline(target[list(EYES[0][0]), :2])
    middle, far = outline.mean(0), np.indices((side, side))[::-1] + 0.5
    away = np.hypot(*(far - middle[:, None, None])) / np.ptp(outline[:, 0])
    assert np.abs(changed[away < 0.3]).mean() > 2 and np.abs(changed[away > 0.75]).max() == 0
    fine = changed - cv2.GaussianBlur(changed, (0, 0), scale)
    assert fine[away < 0.4].std() < 0.35 * changed[away < 0.4].std(), "what is finer stays"


@pytest.mark.parametrize("shift", [-600, -230, 230])
def test_lids_at_the_border_of_the_crop_are_healed_as_far_as_they_are_seen(engine, astronaut, plate, shift):
    landmarks = astronaut[1] + [shift, 0, 0]
    moved, target = replace(plate, image=np.roll(plate.image, shift, axis=1), landmarks=landmarks), shut(landmarks)
    rest = np.stack(np.meshgrid(*2 * [np.arange(256) * 2.0 + 1]), -1).astype(np.float32)
    for which in range(2):
        made = Warped(moved.image.copy(), np.zeros((SIDE, SIDE), np.float32), rest)
        outline = lids_outline(target[list(EYES[which][0]), :2])
        changed = np.abs(healed(engine, moved, target, made, which).astype(int) - made.image).max(-1)
        inside = drawn(outline, (SIDE, SIDE)) > 0.99
        assert (changed[inside] > 1).any() == inside.any() and changed[:, 150:362].max() == 0


def test_a_performance_heals_lids_that_come_down_unless_it_goes_without_calibration(engine, model, astronaut, fitted):
    shot, frame = shot_of(engine, astronaut[0]), Frame(0, 0, Fraction(0), astronaut[0])
    coeffs = shot.motion.coeffs.copy()
    coeffs[:, EXPRESSION] += closing(model, fitted)
    asleep = replace(shot, motion=shot.motion.with_(coeffs=coeffs))
    changed = []
    for each in (shot, asleep):
        made = []
        for way in (engine, Engine("default", device="cpu", without=["calibration"])):
            stage = make_stage(way, each, frame, 0, each.face.crop[0].astype(float), SIDE)
            made.append(picture(way, each, stage, 0)[0].astype(int))
        lids = [drawn(lids_outline(target_of(engine, each, stage, 0)[list(ring), :2]), (SIDE, SIDE)) > 0.99 for ring, _iris in EYES]
        changed.append([np.abs(made[0] - made[1])[where].mean() for where in lids])
    assert max(changed[0]) == 0 and min(changed[1]) > 2


def test_a_shut_eye_is_nearer_to_the_real_one_with_its_lid_healed(engine, model, shared):
    """Of a person whom no training saw: the eyes of one frame shut as they are in another."""
    shots = {frame.index: frame.image for frame in frames(probe(shared / "data/videos/vidtimit_fadg0_sa1.mp4")) if frame.index in (74, 116)}
    with Landmarker() as landmarker:
        points = {row: landmarker.find(image)[0].astype(np.float64) for row, image in shots.items()}
    crop = transform(square(points[116])).astype(np.float64)
    faces = {row: into_crop(found, crop, SIDE) for row, found in points.items()}
    both = fit(model, np.stack([faces[116], faces[74]]))
    places = [(float(both.scale[i]), rotation(both.angles[i]), both.shift[i]) for i in (0, 1)]
    own = replace(both, expression=both.expression[:1], angles=both.angles[:1], scale=both.scale[:1], shift=both.shift[:1])
    plate = make_plate(model, crop_image(shots[116], crop, SIDE), faces[116], own)
    target = target_mesh(plate.vertices, faces[74], *places)
    made, real = warped(plate, target, engine.triangles), crop_image(shots[74], crop, SIDE)
    for which, (ring, _iris) in enumerate(EYES):
        before, after = (shut_eye(image, real, faces[74][list(ring), :2]) for image in (made.image, healed(engine, plate, target, made, which)))
        assert after < 0.9 * before


def test_the_eyes_of_an_earlier_frame_are_under_the_lids_of_this_one(engine, model, plate, fitted):
    """In a frame before, the head was elsewhere and its eyes wider."""
    aside = tuple(replace(ball, open=2 * ball.open, corner=ball.corner + 40, iris=ball.iris + 40, ends=ball.ends + 40) for ball in plate.eyeballs)
    both = with_open_eyes(plate, replace(plate, eyeballs=aside))
    assert all(now.patch is before.patch and now.open == before.open for now, before in zip(both.eyeballs, aside, strict=True))
    target = mesh(model, plate, fitted, closing(model, fitted))
    own, taken = (warped(each, target, engine.triangles).image for each in (plate, both))
    assert np.abs(own.astype(int) - taken).max() <= 2


def test_an_edited_face_has_edited_lids(plate):
    painted = np.clip(plate.image * [1.0, 0.6, 0.6], 0, 255).astype(np.uint8)
    before, after = (ball.lid().skin.astype(float).mean((0, 1)) for ball in (plate.eyeballs[0], repainted(plate, painted).eyeballs[0]))
    assert after[1] / before[1] == pytest.approx(0.6, abs=0.05) and after[0] == pytest.approx(before[0], abs=2)


@pytest.mark.parametrize("shift", [-230, 230])
def test_an_eye_at_the_border_of_the_crop_is_drawn_as_far_as_it_is_seen(astronaut, head, shift):
    image, landmarks = np.roll(astronaut[0], shift, axis=1), astronaut[1] + [shift, 0, 0]
    for which in range(2):
        for target in (landmarks, shut(landmarks), landmarks + [2, 2, 0]):
            ball = eyeball_of(image, landmarks, which, head)
            if ball is not None:
                show(image.copy(), image, ball, which, target, landmarks, AT, head)


def test_a_grey_photo_gets_grey_eyes(asleep, astronaut, head):
    image = asleep[0].mean(-1, keepdims=True).astype(np.uint8).repeat(3, -1)
    made, inside = opened(image, asleep[1], astronaut[1], head)
    assert (made[inside] != image[inside]).any() and np.ptp(made.astype(int), axis=-1).max() <= 1


def test_of_two_moments_the_eye_that_is_seen_better_counts_under_the_lid_of_its_own(astronaut, asleep, head):
    seen, unseen = eyeball_of(*astronaut, 0, head), eyeball_of(*asleep, 0, head)
    both = wider(unseen, seen)
    assert both.patch is seen.patch and both.lid is unseen.lid
    assert wider(seen, replace(unseen, open=9.0)) is seen and wider(replace(seen, open=0.8 * seen.open), seen).patch is seen.patch
    assert wider(unseen, None) is unseen and wider(None, seen) is seen
