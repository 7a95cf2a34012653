"""Teeth: a smiling photo's are kept, on the skull, under the lips; behind closed lips likely ones wait."""

from dataclasses import replace

import numpy as np
import pytest

from styleheat_cli.engine.dental import teeth_of
from styleheat_cli.engine.dentition import LIES, LOWER, MM, TONGUE, UPPER, crowns, tongue
from styleheat_cli.engine.fill import drawn
from styleheat_cli.engine.teeth import UPPER_LIP, show
from styleheat_cli.face.regions import INNER_LIPS

from .test_pictures import jaw_drop, target

LIPS = list(INNER_LIPS)


@pytest.fixture(scope="module")
def closed(plate):
    """The astronaut, had she closed her mouth."""
    landmarks = plate.landmarks.copy()
    landmarks[LIPS, 1] = landmarks[LIPS, 1].mean()
    return replace(plate, landmarks=landmarks)


def shown(teeth, points, place):
    """What is laid over black, and whether a pixel lies between the lips."""
    image = np.zeros((512, 512, 3), np.uint8)
    show(teeth, image, points, place, np.full((478, 3), 1.0))
    return image, drawn(points[LIPS, :2], (512, 512)) > 0


def test_at_rest_a_smile_keeps_its_own_teeth(plate):
    image, _ = shown(teeth_of(plate), plate.vertices, plate.place)
    bright = image.min(-1) > 100  # where the layer covers wholly
    assert bright.sum() > 500
    assert np.abs(image[bright].astype(int) - plate.image[bright]).mean() < 8


@pytest.mark.parametrize("which", ["plate", "closed"])
def test_they_stay_on_the_skull_and_between_the_lips_while_the_jaw_drops(request, which, model, plate, fitted):
    teeth = teeth_of(request.getfixturevalue(which))
    lowest = []
    for share in (0.35, 0.5):
        points = target(model, plate, fitted, share * jaw_drop(model))
        image, inside = shown(replace(teeth, lower=replace(teeth.lower, share=0 * teeth.lower.share)), points, plate.place)
        assert ((image.max(-1) > 40) & ~inside).sum() < 250, "but for the lips' soft edge"
        lowest.append(np.percentile(np.nonzero(image.min(-1) > 90)[0], 95))
    assert abs(lowest[1] - lowest[0]) < 6


def test_lower_teeth_go_with_the_lower_lip(model, plate, closed, fitted):
    teeth = teeth_of(closed)
    alone = replace(teeth, upper=replace(teeth.upper, share=0 * teeth.upper.share), tongue=replace(teeth.tongue, share=0 * teeth.tongue.share))
    first, lip = [], []
    for share in (0.6, 0.9):
        points = target(model, plate, fitted, share * jaw_drop(model))
        image, _ = shown(alone, points, plate.place)
        first.append(np.percentile(np.nonzero(image.max(-1) > 60)[0], 5))
        lip.append(points[14, 1])
    assert lip[1] - lip[0] > 3
    assert first[1] - first[0] == pytest.approx(lip[1] - lip[0], abs=1.5)


def test_teeth_that_are_clenched_show_both_rows_and_a_dropped_jaw_parts_them(model, plate, closed, fitted):
    teeth = teeth_of(closed)
    alone = replace(teeth, upper=replace(teeth.upper, share=0 * teeth.upper.share), tongue=replace(teeth.tongue, share=0 * teeth.tongue.share))
    points, edges = target(model, plate, fitted, 0.6 * jaw_drop(model)), []
    for drop in (0.0, 0.3):
        points[152] = plate.place[0] * plate.place[1] @ [0, teeth.chin + drop, 0] + plate.place[2]
        image, _ = shown(alone, points, plate.place)
        edges.append(np.percentile(np.nonzero(image.max(-1) > 60)[0], 5))
    assert 1.5 * MM < (edges[1] - edges[0]) / plate.place[0] < 3.5 * MM  # no farther than lips show


def test_the_less_the_lips_are_parted_the_darker_it_is_between_them(model, plate, fitted):
    teeth, brightest = teeth_of(plate), []
    for share in (0.0, -0.3, -0.5):
        points = target(model, plate, fitted, share * jaw_drop(model))
        image, inside = shown(teeth, points, plate.place)
        brightest.append(np.percentile(image[inside].mean(-1), 90))
    assert brightest[0] > 1.1 * brightest[1] > 1.21 * brightest[2], brightest


def test_closed_lips_show_none(closed):
    image, _ = shown(teeth_of(closed), closed.landmarks, closed.place)
    assert not image.any()


def test_lower_teeth_that_are_seen_go_with_the_jaw_and_upper_ones_do_not(model, plate, fitted):
    """The astronaut, with a dark line drawn between her teeth and a mark on what lies below it."""
    image, rim = plate.image.copy(), plate.landmarks[LIPS, :2]
    upper, lower = rim[:10:-1], rim[1:10]
    inside = drawn(rim, image.shape[:2]) > 0
    image[inside] = 235, 228, 215
    for share, colour in ((0.55, (30, 12, 12)), (0.75, (235, 228, 170))):
        below = np.vstack([(1 - share) * upper + share * lower, lower[::-1]])
        image[(drawn(below, image.shape[:2]) > 0) & inside] = colour
    teeth, places = teeth_of(replace(plate, image=image)), []
    for share in (0.3, 0.6):
        points = target(model, plate, fitted, share * jaw_drop(model))
        made, _ = shown(teeth, points, plate.place)
        marked = (made[..., 0] > 150) & (made[..., 2] < 0.8 * made[..., 0])
        white = (made[..., 2] > 150) & (made[..., 2] > 0.85 * made[..., 0])
        assert marked.sum() > 40 and white.sum() > 100
        places.append([*(np.nonzero(each)[0].mean() for each in (marked, white)), points[14, 1]])
    mark, above, lip = np.diff(places, axis=0)[0]
    assert lip > 3 and mark == pytest.approx(lip, abs=2) and abs(above) < 1


def lowered(plate, share):
    """The same photo with an upper lip that comes down over this share of its open mouth, teeth and all."""
    landmarks, image = plate.landmarks.copy(), plate.image.copy()
    lower, upper = np.array(LIPS[1:10]), np.array(LIPS[:10:-1])
    landmarks[upper, :2] += share * (landmarks[lower, :2] - landmarks[upper, :2])
    hidden = np.vstack([plate.landmarks[upper, :2], landmarks[upper[::-1], :2]])
    image[drawn(hidden, image.shape[:2]) > 0] = 150, 80, 75
    return replace(plate, landmarks=landmarks, image=image)


def test_what_a_rising_lip_bares_of_teeth_goes_on_above_those_seen(plate):
    made, _ = shown(teeth_of(lowered(plate, 0.4)), plate.vertices, plate.place)
    bared = drawn(np.vstack([plate.landmarks[LIPS[:10:-1], :2], lowered(plate, 0.4).landmarks[LIPS[11:], :2]]), (512, 512)) > 0
    middle = np.abs(np.arange(512) - plate.landmarks[13, 0]) < 25
    red, green, _blue = np.median(made[bared & middle], 0)
    assert green > 100 and red < 1.35 * green, "teeth, and no lip, gum or dark"


def test_no_more_than_a_little_gum_is_bared_before_a_rising_lip_takes_the_teeth_along(plate):
    teeth, tops = teeth_of(plate), []
    for rise in (0, 4, 12):
        points = plate.vertices.copy()
        points[list(UPPER_LIP), 1] -= rise
        made, _ = shown(teeth, points, plate.place)
        bright = (made[..., 1] > 120) & (np.abs(np.arange(512) - plate.landmarks[13, 0]) < 25)
        tops.append(np.nonzero(bright)[0].min())
    assert 0 <= tops[0] - tops[1] <= 4 and 7 <= tops[1] - tops[2] <= 9


def test_two_rows_meet_in_a_bite():
    down = np.linspace(-0.3, 0.3, 601)[:, None]
    across = np.full_like(down, 0.05)
    upper, lower = crowns(across, down)[2] > 0.5, crowns(across, -down, LOWER)[2] > 0.5
    both = (upper & lower).sum() * 0.001
    assert both == pytest.approx(UPPER.shown + LOWER.shown, abs=1 * MM), "upper teeth stand before the lower ones"


def test_crowns_are_alike_on_both_sides_and_end_below_the_lips():
    right = np.linspace(0.0025, 0.9975, 200)
    across, down = np.meshgrid(np.r_[-right[::-1], right], np.linspace(-0.5, 0.5, 401))
    brightness, gum, there = crowns(across, down)
    for part in (brightness, gum, there):
        np.testing.assert_allclose(part, part[:, ::-1], atol=1e-9)
    front = there[:, 185]  # on the first tooth
    assert down[np.flatnonzero(front > 0.5)[-1], 0] == pytest.approx(UPPER.shown, abs=1 * MM)
    assert brightness[200, 200] < 0.9 * brightness[200, 240], "a line parts the two in the middle"
    assert gum[0, 240] == 1 and gum[200, 240] == 0


def test_a_tongue_lies_in_the_middle_and_is_darker_to_its_rim():
    across, down = np.meshgrid(np.linspace(-0.8, 0.8, 161), np.linspace(-0.6, 0.6, 121))
    brightness, there = tongue(across, down)
    assert there == pytest.approx(there[:, ::-1]) and there[:, 0].max() == 0
    assert np.ptp(down[there > 0.5]) == pytest.approx(2 * TONGUE[1], rel=0.1)
    row = np.abs(down[:, 0] - LIES).argmin()
    assert brightness[row, 100] > brightness[row, 120] > brightness[row, 130]


def test_a_mouth_that_opens_wide_shows_a_tongue_redder_than_what_is_behind(model, plate, closed, fitted):
    points = target(model, plate, fitted, jaw_drop(model))
    teeth = teeth_of(closed)
    with_it, inside = shown(teeth, points, plate.place)
    without, _ = shown(replace(teeth, tongue=replace(teeth.tongue, share=0 * teeth.tongue.share)), points, plate.place)
    there = inside & (np.abs(with_it.astype(int) - without).max(-1) > 8)
    assert there.sum() > 0.1 * inside.sum()
    assert with_it[there][:, 0].mean() > 1.3 * with_it[there][:, 1].mean()


@pytest.mark.parametrize("which", ["plate", "closed"])
def test_a_grey_photo_has_a_grey_mouth(request, which, model, plate, fitted):
    own = request.getfixturevalue(which)
    grey = replace(own, image=own.image.mean(-1, keepdims=True).astype(np.uint8).repeat(3, -1))
    image = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)  # whatever was made up
    points = target(model, plate, fitted, 0.5 * jaw_drop(model))
    show(teeth_of(grey), image, points, plate.place, grey.landmarks)
    inside = drawn(points[LIPS, :2], (512, 512)) == 1
    assert np.ptp(image[inside].astype(int), axis=-1).mean() < 12


def test_an_open_mouth_that_shows_no_teeth_is_given_none(plate):
    image = plate.image.copy()
    image[drawn(plate.landmarks[LIPS, :2], image.shape[:2]) > 0] = 45, 18, 20
    assert teeth_of(plate).lower.share.max() > 0.9
    assert teeth_of(replace(plate, image=image)).lower.share.max() == 0


@pytest.mark.parametrize("side", [64, 512, 1536])
def test_lips_that_meet_are_parted_by_a_line_of_their_own_colour_where_the_mouth_was_open(side, model, plate, fitted):
    scale = side / 512
    own, points = plate.landmarks * scale, target(model, plate, fitted) * scale
    points[LIPS, 1] = points[LIPS, 1].mean()
    place = (scale * plate.place[0], plate.place[1], scale * plate.place[2])
    skin = np.full((side, side, 3), (200, 140, 130), np.uint8)
    open_before, closed_before = skin.copy(), skin.copy()
    show(teeth_of(plate), open_before, points, place, own)
    show(teeth_of(plate), closed_before, points, place, points)
    line = (open_before != skin).any(-1)
    assert line.any() and (closed_before == skin).all()
    darkest = open_before[line].min(0)
    assert 0.35 * 200 < darkest[0] < 0.8 * 200 and darkest[0] > darkest[1]
