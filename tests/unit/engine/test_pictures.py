"""Plates, warps and healed mouths, on a real portrait."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from styleheat_cli.engine import Engine, performance
from styleheat_cli.engine.fill import filled
from styleheat_cli.engine.heal import heal, invert, invert_mouth
from styleheat_cli.engine.mesh import backward_map, target_mesh
from styleheat_cli.engine.performance import softened
from styleheat_cli.engine.plate import _carried_on, _wall, make_plate
from styleheat_cli.engine.synthesis import _kept_above, _laid, _parted, _stretch, _torn, warped
from styleheat_cli.face.morphable import placed, rotation
from styleheat_cli.face.regions import INNER_LIPS


def target(model, plate, fitted, change=0.0, turn=(0.0, 0.0, 0.0)):
    """The mesh with another expression (64,) or pose added to the portrait's own."""
    expression, angles = fitted.expression[0] + change, fitted.angles[0] + np.array(turn)
    place = (fitted.scale[0], rotation(angles), fitted.shift[0])
    shape = model.shape(fitted.identity, expression[None], angles[None])[0] + fitted.own
    landmarks = placed(shape[None], np.array([place[0]]), place[1][None], place[2][None])[0]
    return target_mesh(plate.vertices, landmarks, plate.place, place)


def jaw_drop(model):
    """(64,) the likeliest expression that opens the lips by a third of a head size."""
    opens = model.expression[:, 14, 1] - model.expression[:, 13, 1]
    return opens * (0.33 / (opens @ opens))


def test_no_motion_is_the_source_bit_for_bit(model, engine, plate, fitted):
    made = warped(plate, plate.vertices, engine.triangles)
    eyes = np.zeros(made.changed.shape, bool)
    for ball in plate.eyeballs:
        x, y = ball.corner.astype(int)
        eyes[y : y + len(ball.patch), x : x + ball.patch.shape[1]] = True
    assert (made.image[~eyes] == plate.image[~eyes]).all()
    assert np.abs(made.image.astype(int) - plate.image)[eyes].mean() < 3


def test_a_turn_moves_the_head_and_not_the_background(model, engine, plate, fitted):
    made = warped(plate, target(model, plate, fitted, turn=(0, 0.2, 0)), engine.triangles)
    away = np.abs(made.image.astype(int) - plate.image).max(-1)
    assert away[150:350, 150:350].mean() > 10
    edge = np.concatenate([away[:3].ravel(), away[-3:].ravel(), away[:, :3].ravel(), away[:, -3:].ravel()])
    assert edge.max() <= 1
    assert (made.image[made.changed == 0] == plate.image[made.changed == 0]).all()


def test_the_inside_of_a_mouth_is_drawn_between_the_lips_only(model, engine, plate, fitted):
    open_mouth = target(model, plate, fitted, jaw_drop(model))
    made = warped(plate, open_mouth, engine.triangles)
    before = made.image.copy()
    feature = invert_mouth(engine.healing, plate.image, plate.landmarks)
    motion = np.concatenate([fitted.expression[0], fitted.angles[0]]).astype(np.float32)
    heal(engine.healing, feature, made.image, open_mouth, made.source_at, motion)
    rows, columns = np.nonzero((made.image != before).any(-1))
    lips = open_mouth[list(INNER_LIPS), :2]
    assert len(rows) > 500
    assert (columns.min(), rows.min()) >= tuple(lips.min(0) - 8) and (columns.max(), rows.max()) <= tuple(lips.max(0) + 8)


def test_closed_lips_are_left_alone(model, engine, plate, fitted):
    """A mouth whose lips touch has no inside to draw."""
    vertices = plate.vertices.copy()
    half = len(INNER_LIPS) // 2
    low, high = INNER_LIPS[1:half], INNER_LIPS[:half:-1]
    vertices[list(high)] = vertices[list(low)]
    image = plate.image.copy()
    feature = invert_mouth(engine.healing, plate.image, plate.landmarks)
    at = warped(plate, plate.vertices, engine.triangles).source_at
    heal(engine.healing, feature, image, vertices, at, np.zeros(67, np.float32))
    assert (image == plate.image).all()


def test_filling_keeps_what_is_known_and_carries_it_on():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 40, 40), (10, 10, 10)
    known = np.zeros((64, 64), bool)
    known[:, :32] = True
    out = filled(image, known)
    assert np.abs(out.astype(int) - (200, 40, 40)).max() <= 3


def below(chin):
    """Landmarks of a face in the middle of a picture, with its chin at this row."""
    return np.concatenate([np.full((152, 3), 128.0), [[128.0, chin, 0.0]], np.full((325, 3), 128.0)])


@pytest.mark.parametrize("rim", [0, 35])
def test_skin_that_mixes_with_the_wall_gets_its_own_colour_and_no_light_rim(rim):
    """A face before a wall, a matte that is 2 px too large, and the rim of a sharpened picture beside the face."""
    skin, wall = np.array([190.0, 140, 120]), np.array([120.0, 130, 140])
    away = np.hypot(*(np.indices((256, 256)) - 128)) - 70
    share = np.clip(0.5 - away / 3, 0, 1)[..., None]
    image = share * skin + (1 - share) * wall - rim * (np.abs(away - 2.5) < 1)[..., None] * (skin - wall) / np.linalg.norm(skin - wall)
    alpha = np.clip(0.5 - (away - 2) / 2, 0, 1).astype(np.float32)
    image = np.round(image).astype(np.uint8)
    own = _carried_on(image, alpha, _wall(image, alpha), below(400))
    assert np.abs(own[alpha > 0.3].astype(int) - skin).max() < 20


@pytest.mark.parametrize("wall", [(20, 30, 28), (40, 28, 22)])
def test_a_cheek_that_turns_into_shade_before_a_dark_wall_stays_as_dark_as_it_is(wall):
    away = np.hypot(*(np.indices((256, 256)) - 128))
    light = np.clip(1 - np.maximum(away - 66, 0) / 30, 0.6, 1)[..., None]
    image = np.where((away < 78)[..., None], light * np.array([205.0, 150, 125]), np.array(wall)).round().astype(np.uint8)
    alpha = np.clip(0.5 + (78 - away) / 2, 0, 1).astype(np.float32)
    own = _carried_on(image, alpha, _wall(image, alpha), below(400))
    shaded = (away > 68) & (away < 76)
    assert np.abs(own[shaded].astype(int) - image[shaded]).max() < 12


def test_a_jaw_in_its_own_shade_takes_nothing_of_a_light_wall_along():
    """Skin far from the cheeks' colour, inside the face's outline, at the edge of a matte that is 2 px too large."""
    away = np.hypot(*(np.indices((256, 256)) - 128))
    skin = np.where((away < 50)[..., None], (205.0, 150, 125), (100.0, 75, 60))
    share = np.clip(0.5 - (away - 70) / 3, 0, 1)[..., None]
    image = np.round(share * skin + (1 - share) * np.array([225.0, 218, 216])).astype(np.uint8)
    alpha = np.clip(0.5 - (away - 72) / 2, 0, 1).astype(np.float32)
    face = below(208)
    turn = np.linspace(0, 2 * np.pi, 36)
    face[200:236, :2] = 128 + 76 * np.stack([np.cos(turn), np.sin(turn)], -1)
    own = _carried_on(image, alpha, _wall(image, alpha), face)
    level = (alpha > 0.3) & (away > 55) & (np.indices((256, 256))[0] < 190)
    assert np.abs(own[level].astype(int) - (100, 75, 60)).max() < 20


def test_an_outline_that_is_stretched_stays_as_sharp_as_it_was(plate):
    x = np.arange(256) * 2.0 + 1
    still = np.stack(np.meshgrid(x, x), -1).astype(np.float32)
    assert np.abs(_stretch(still, 512) - 1).max() < 1e-5
    wide = still.copy()
    wide[..., 0] = 200 + (wide[..., 0] - 200) / 4
    assert _stretch(wide, 512) == pytest.approx(4, rel=1e-4)
    wide[..., 0] = 200 + (still[..., 0] - 200) / 6
    person, wall = np.zeros((512, 512, 3), np.uint8), np.full((512, 512, 3), 250, np.uint8)
    alpha = np.tile(np.clip((np.arange(512) - 198) / 4, 0, 1).astype(np.float32), (512, 1))
    made = _laid(person, replace(plate, alpha=alpha, background=wall), cv2.resize(wide, (512, 512)) - np.float32(0.5), wide)
    between = ((made[256, :, 0] > 20) & (made[256, :, 0] < 230)).sum()
    assert 3 <= between <= 8, "six pixels, not two dozen"


def test_hair_that_is_neither_skin_nor_wall_stays():
    away = np.hypot(*(np.indices((256, 256)) - 128))
    image, alpha, ring = np.full((256, 256, 3), (120, 40, 40), np.uint8), (away < 78).astype(np.float32), (away > 75) & (away < 78)
    image[away < 75], image[ring] = (230, 150, 130), (90, 62, 50)
    own = _carried_on(image, alpha, _wall(image, alpha), below(400))
    assert np.abs(own[ring].astype(int) - (90, 62, 50)).mean() < 8


def test_dark_gaps_between_fair_hairs_stay():
    """What is as dark as the wall amid hair is its shade: only skin is taken to be of one colour."""
    away, x = np.hypot(*(np.indices((256, 256)) - 128)), np.arange(256)
    image, alpha = np.full((256, 256, 3), (40, 44, 54), np.uint8), np.clip((80 - away) / 2, 0, 1).astype(np.float32)
    image[away < 80] = np.where((x % 6 < 2)[None, :, None], (44, 46, 52), (165, 135, 100)).repeat(256, 0)[away < 80]
    image[away < 30] = (235, 205, 195)
    own = _carried_on(image, alpha, _wall(image, alpha), below(400))
    gaps = (x % 6 < 2)[None] & (away > 40) & (alpha == 1)
    assert np.abs(own[gaps].astype(int) - (44, 46, 52)).max() < 12


def test_the_generator_gives_the_portrait_back(engine, plate):
    from styleheat_cli.media.pixels import to_images

    made = to_images(engine.healing.generator(*invert(engine.healing, plate.image)))[0]
    error = np.mean((made.astype(float) - plate.image) ** 2)
    assert 10 * np.log10(255**2 / error) > 26


@pytest.mark.parametrize("size", [256, 768])
def test_any_size_of_crop_can_be_healed(model, engine, astronaut, fitted, size):
    import cv2

    from styleheat_cli.engine.plate import make_plate
    from styleheat_cli.face.morphable import fit

    image, points = cv2.resize(astronaut[0], (size, size)), astronaut[1] * size / 512
    own = fit(model, points[None])
    plate = make_plate(model, image, points, own)
    open_mouth = target(model, plate, own, jaw_drop(model))
    made = warped(plate, open_mouth, engine.triangles)
    before = made.image.copy()
    feature = invert_mouth(engine.healing, plate.image, plate.landmarks)
    heal(engine.healing, feature, made.image, open_mouth, made.source_at, np.zeros(67, np.float32))
    assert (made.image != before).any()


def test_without_detail_all_is_the_generators_and_without_calibration_no_mouth_is_healed(engine, astronaut, monkeypatch):
    image, _ = astronaut
    whole, plain = engine.reconstruct(image)
    less, _ = Engine("default", device="cpu", without=["detail"]).reconstruct(image)
    apart = [np.abs(a.astype(int) - b).mean() for a, b in ((whole, image), (less, plain), (less, image))]
    assert apart[0] < 0.5 and apart[1] < 1 and apart[2] > 2
    monkeypatch.setattr(performance, "heal", lambda *_: pytest.fail("healed"))
    Engine("default", device="cpu", without=["calibration"]).reconstruct(image)


def test_a_torn_map_has_nothing_between_its_sides(model, engine, plate, fitted):
    """A head that turns far hides a cheek behind its nose; no pixel comes from between what lies on both sides of that edge."""
    points = target(model, plate, fitted, turn=(0.0, 0.7, 0.0))
    source_at, _ = backward_map(plate.vertices, points, engine.triangles, 512)
    torn = _torn(source_at, 512)
    assert 0 < torn.mean() < 0.05
    fine = cv2.resize(source_at, (512, 512), interpolation=cv2.INTER_LINEAR)
    between = _share_between(fine, torn)
    _parted(fine, torn, plate, points, engine.triangles)
    assert between > 0.02 and _share_between(fine, torn) < between / 5


def _share_between(fine, torn):
    """Of pixels near a tear, those far from both their neighbours: they lie on neither side of it."""
    near = cv2.resize(torn.astype(np.uint8), (512, 512), interpolation=cv2.INTER_NEAREST)[:, 1:-1] > 0
    step = np.abs(np.diff(fine, axis=1)).max(-1)
    return float((np.minimum(step[:, 1:], step[:, :-1])[near] > 8).mean())


def test_where_shoulders_rise_what_is_above_a_frames_bottom_stretches():
    x, y = np.meshgrid(np.arange(512) + 0.5, np.arange(512) + 0.5)
    plain = np.stack([x, y], -1).astype(np.float32)
    coarse = cv2.resize(plain, (256, 256), interpolation=cv2.INTER_AREA) + np.float32([0, 20])
    fine = plain + np.float32([0, 20])
    _kept_above(fine, coarse, 400.0)
    rows = fine[:, 7, 1]
    assert rows[:400].max() <= 400 and (np.diff(rows[:400]) > 0.2).all()
    assert rows[:330] == pytest.approx(y[:330, 7] + 20)
    still = plain.copy()
    _kept_above(still, coarse - np.float32([0, 20]), 400.0)
    assert (still == plain).all()


def test_hair_keeps_its_own_colour_where_it_is_mixed_with_the_background():
    share = np.clip((np.arange(256) - 100) / 40, 0, 1).astype(np.float32)
    alpha = np.broadcast_to(share, (256, 256)).copy()
    hair, wall = np.array([40.0, 30.0, 20.0]), np.array([200.0, 190.0, 180.0])
    image = np.round(alpha[..., None] * hair + (1 - alpha[..., None]) * wall).astype(np.uint8)
    own = _carried_on(image, alpha, _wall(image, alpha), below(256))
    assert np.abs(own[:, 118:] - hair).max() < 12 and np.abs(own[:, :90] - hair).max() < 25


def test_a_picture_that_does_not_tell_where_the_person_ends_moves_in_one_layer(model, astronaut, fitted, engine, monkeypatch):
    image, landmarks = astronaut
    everywhere = np.full((512, 512), 0.4, np.float32)
    sure = make_plate(model, image, landmarks, fitted, doubting=True)
    monkeypatch.setattr("styleheat_cli.engine.plate.matte", lambda image: np.maximum(sure.alpha, everywhere))
    plate = make_plate(model, image, landmarks, fitted, doubting=True)
    assert plate.whole and not sure.whole and not make_plate(model, image, landmarks, fitted).whole
    made = warped(plate, target(model, plate, fitted, turn=(0.0, 0.0, 0.15)), engine.triangles)
    top = cv2.remap(plate.person, cv2.resize(made.source_at, (512, 512)) - np.float32(0.5), None, cv2.INTER_CUBIC)[40:60, 200:300]
    assert np.abs(made.image[40:60, 200:300].astype(int) - top).mean() < 6  # what is above the hair went along


def test_beyond_the_frame_nothing_streaks_and_within_it_nothing_changes():
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    real = np.zeros((128, 128), bool)
    real[:, 40:] = True
    image[:, :40] = image[:, 40:41]  # as a repeated border is
    soft = softened(image, real)
    assert (soft[:, 40:] == image[:, 40:]).all()
    assert np.abs(np.diff(soft[:, 5].astype(int), axis=0)).max() < 12
    assert softened(image, np.ones_like(real)) is image
