"""Looks: the texture that moves with the skin, what is drawn on it, and edits of a real portrait by direction."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from styleheat_cli.engine.appearance_edit import EDITS, FORMS, Canvas, Memory, edited
from styleheat_cli.engine.hair import SLOWLY, find_hair
from styleheat_cli.engine.performance import with_looks
from styleheat_cli.engine.strokes import hairs, wrinkles
from styleheat_cli.engine.texture import OUTSIDE, SIDE, Atlas, spread
from styleheat_cli.errors import InputError
from styleheat_cli.face.matte import head_mask
from styleheat_cli.face.morphable import POINTS, openings
from styleheat_cli.face.regions import OUTER_LIPS, OVAL
from styleheat_cli.metrics.attributes import features, readings


@pytest.fixture(scope="module")
def canvas(engine, plate):
    return Canvas(engine.appearance, Atlas(engine.morphable), plate)


@pytest.fixture(scope="module")
def look(canvas):
    """Edits the astronaut: (direction, strength) -> picture, where it differs, and what is asked of the mesh."""

    def made(name, strength):
        return edited(canvas, {name: strength})

    return made


def lab(canvas, image):
    from dataclasses import replace

    return Canvas(canvas.look, canvas.atlas, replace(canvas.plate, image=image)).original


def test_a_texture_of_its_own_places_is_seen_where_each_pixel_lies(canvas):
    across, down = np.meshgrid((np.arange(SIDE) + 0.5) / SIDE, (np.arange(SIDE) + 0.5) / SIDE)
    places, facing = canvas.located
    skin = (places[..., 0] > OUTSIDE) & (facing > 0.6)
    for texture, axis in ((across, 0), (down, 1)):
        seen = spread(texture.astype(np.float32), places, 1e3)
        assert np.abs(seen - places[..., axis])[skin].max() < 1.5 / SIDE  # a texel, and its rounding


def test_a_picture_laid_flat_has_its_features_where_the_mean_face_has_them(canvas, plate):
    marked = np.zeros((plate.side, plate.side, 3), np.uint8)
    point = np.round(plate.landmarks[1, :2]).astype(int)  # the tip of the nose
    marked[point[1] - 2 : point[1] + 3, point[0] - 2 : point[0] + 3] = 255
    texture, _ = canvas.atlas.unwrapped(marked, plate.vertices)
    rows, columns = np.nonzero(texture[..., 0] > 128)
    assert np.hypot(*(np.array([columns.mean(), rows.mean()]) - canvas.atlas.places[1] * SIDE)) < 2


def test_wrinkles_are_the_same_every_time_and_mostly_valleys():
    first = wrinkles(3)
    wrinkles.cache_clear()
    assert np.array_equal(first, wrinkles(3)) and not np.array_equal(first, wrinkles(4))
    assert -first.min() > first.max() > 0


def test_hairs_grow_only_where_the_cover_lets_them():
    cover = np.zeros((SIDE, SIDE), np.float32)
    cover[170:190, 60:90] = 1
    drawn = hairs(cover, 400, 2.0, seed=5).reshape(SIDE, 4, SIDE, 4).max((1, 3))
    assert drawn[172:188, 62:88].mean() > 0.05
    assert drawn[:168].max() == 0 and drawn[:, :56].max() == 0 and drawn[:, 94:].max() == 0


def test_the_astronauts_hair_is_told_from_her_skin_and_her_suit(canvas, plate):
    found = find_hair(plate.image, canvas.original, plate.alpha, plate.landmarks, canvas.tones)
    top, chin = plate.landmarks[10], plate.landmarks[152]
    crown = top + 0.12 * (top - chin)
    assert found.share[int(crown[1]), int(crown[0])] > 0.8
    assert found.share[canvas.polygon(OVAL) > 0.5].mean() < 0.1
    assert found.share[int(chin[1] + 0.35 * (chin[1] - top[1])) :].mean() < 0.05


def test_a_shot_remembers_tones_slowly_and_what_is_hidden():
    memory, unseen = Memory(), np.full(3, np.nan)
    assert np.array_equal(memory.evened(np.array([[50.0, 10, 10], unseen])), [[50, 10, 10], unseen], equal_nan=True)
    later = memory.evened(np.array([unseen, [70.0, 5, 5]]))
    assert np.array_equal(later, [[50, 10, 10], [70, 5, 5]])
    assert np.allclose(memory.evened(np.array([[60.0, 10, 10], [70, 5, 5]])), [[50 + 10 * SLOWLY, 10, 10], [70, 5, 5]])


def test_hair_that_was_seen_is_found_again_where_the_light_is_weaker(canvas, plate):
    first = find_hair(plate.image, canvas.original, plate.alpha, plate.landmarks, canvas.tones)
    flat = canvas.original * [0.8, 1, 1] + [14, 0, 0]  # hair and skin nearer to each other
    tones = [tone * [0.8, 1, 1] + [14, 0, 0] for tone in canvas.tones]
    again = find_hair(plate.image, flat, plate.alpha, plate.landmarks, tones, first)
    alone = find_hair(plate.image, flat, plate.alpha, plate.landmarks, tones)
    both = (np.minimum(first.share, again.share).sum()) / np.maximum(first.share, again.share).sum()
    assert both > 0.85 and abs(again.covered - first.covered) < abs(alone.covered - first.covered) + 1e-9


def test_nothing_asked_is_nothing_done(canvas, plate):
    image, differs, change = edited(canvas, {})
    assert np.array_equal(image, plate.image) and not differs.any()
    assert np.all(change.shape == 0) and np.all(change.expression == 0)


@pytest.mark.parametrize("name", EDITS)
def test_what_is_not_the_head_stays_to_the_bit(name, look, plate):
    image, differs, _ = look(name, 2.0)
    beside = head_mask(plate.landmarks, plate.alpha) == 0
    assert differs.any() and np.array_equal(image[beside], plate.image[beside])
    assert np.array_equal(differs > 0, (image != plate.image).any(-1))


def test_each_direction_changes_what_it_names(look, canvas, plate):
    before, skin = canvas.original, canvas.skin > 0.7
    mouth = canvas.lip_mask > 0.8
    chin = canvas.on_face(canvas.look.beard) > 0.6
    hair = canvas.hair.share > 0.8
    assert (lab(canvas, look("lips", 2.0)[0]) - before)[mouth][:, 1].mean() > 10  # redder
    assert (lab(canvas, look("lips", -2.0)[0]) - before)[mouth][:, 1].mean() < -1
    assert (lab(canvas, look("beard", 2.0)[0]) - before)[chin][:, 0].mean() < -15  # darker
    greyed = lab(canvas, look("grey", 3.0)[0])[hair]
    assert np.hypot(*greyed[:, 1:].T).mean() < 0.5 * np.hypot(*before[hair][:, 1:].T).mean()

    def roughness(image):
        light = lab(canvas, image)[..., 0]
        return np.abs(light - canvas.blurred(light, 0.16))[skin].mean()

    assert roughness(look("age", 2.0)[0]) > 1.2 * roughness(plate.image) > 1.3 * roughness(look("age", -2.0)[0])


def test_only_age_and_smile_ask_something_of_the_mesh(look, engine):
    for name in EDITS:
        _, _, change = look(name, 1.0)
        assert bool(np.any(change.shape != 0)) == (name == "age")
        assert bool(np.any(change.expression != 0)) == (name == "smile")
    left, right = engine.morphable.expression[:, [61, 291], 1].T
    lifted = look("smile", 2.0)[2].expression @ np.column_stack([left, right])
    assert (lifted < 0).all()  # the corners go up: y is down


@pytest.mark.parametrize("name", EDITS)
def test_more_is_read_where_more_is_asked(name, look, engine, plate):
    read = []
    for strength in (0.0, 1.0, 2.0):
        image, _, change = look(name, strength) if strength else (plate.image, None, None)
        scale, turn, _ = plate.place
        moved = 0 if change is None else np.tensordot(change.expression + np.zeros(64), engine.morphable.expression, axes=1)
        found = features(engine.morphable, image, plate.landmarks + scale * moved @ turn.T if strength else plate.landmarks)
        read.append(readings(engine.appearance, found)[name])
    assert read[0] < read[1] < read[2]


def test_who_smiles_already_is_brought_no_further_than_a_smile(look, engine):
    step = engine.appearance.smile
    change = look("smile", 2.0)[2]
    along = change.expression / np.linalg.norm(change.expression)
    for already in (-1.0, 0.0, 1.0, 9.0):
        start = already * np.linalg.norm(change.expression) * along
        gained = float((change.added_to(start) - start) @ along)
        assert -1e-9 <= gained <= np.linalg.norm(change.expression) + 1e-9
        assert float(change.added_to(start) @ along) <= max(change.most, float(start @ along)) + 1e-9
    nothing = np.arange(64.0)
    assert np.array_equal(look("lips", 1.0)[2].added_to(nothing), nothing) and np.linalg.norm(step) > 0


def test_a_mouth_that_shows_its_teeth_is_parted_no_further(canvas, look, engine):
    parting = openings(engine.morphable.expression)[:, 2]  # the astronaut smiles openly
    assert abs(look("smile", 2.0)[2].expression @ parting) < 1e-6 < engine.appearance.smile @ parting


def test_a_stage_without_looks_is_the_stage_itself(engine):
    stage = object()
    assert with_looks(engine, stage, None, {}) is stage


def test_a_canvas_serves_any_number_of_edits(canvas):
    first = edited(canvas, {"lips": 1.0})[0]
    edited(canvas, {"age": 3.0, "grey": 2.0})
    assert np.array_equal(edited(canvas, {"lips": 1.0})[0], first)


def test_a_direction_of_ones_own_is_added_so_many_times(tmp_path, canvas):
    path = tmp_path / "tan.safetensors"
    shape = np.full((POINTS, 3), 0.01, np.float32)
    save_file({"lightness": np.full((SIDE, SIDE), -0.1, np.float32), "shape": shape}, path)
    image, _, change = edited(canvas, {path: 2.0})
    skin = (canvas.skin > 0.9) & (canvas.located[1] > 0.8) & (canvas.head > 0.99)
    ratio = lab(canvas, image)[skin][:, 0] / canvas.original[skin][:, 0]
    assert np.allclose(change.shape, 0.02) and abs(np.median(ratio) - np.exp(-0.2)) < 0.03


@pytest.mark.parametrize("arrays", [{"lightness": np.zeros((8, 8), np.float32)}, {"weights": np.zeros(3, np.float32)}])
def test_a_direction_of_another_form_is_refused_with_what_would_do(tmp_path, arrays, canvas):
    path = tmp_path / "wrong.safetensors"
    save_file(arrays, path)
    with pytest.raises(InputError, match=next(iter(arrays))) as caught:
        edited(canvas, {path: 1.0})
    assert all(name in caught.value.hint for name in FORMS)


def test_a_file_that_is_no_direction_says_so(tmp_path, canvas):
    path = tmp_path / "noise.safetensors"
    path.write_bytes(b"\x00" * 64)
    with pytest.raises(InputError, match=r"noise\.safetensors cannot be read"):
        edited(canvas, {path: 1.0})


def test_lips_are_within_the_mouths_outline(canvas):
    grown = canvas.blurred(canvas.polygon(OUTER_LIPS), 0.1)
    assert (canvas.lip_mask[grown < 0.02] < 0.02).all()
