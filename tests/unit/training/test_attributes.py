"""How attributes are learnt: what was planted in made-up portraits is found, and nothing else."""

import json

import numpy as np
import pytest

from styleheat_cli.engine import Engine
from styleheat_cli.engine.texture import SIDE, Atlas
from styleheat_cli.errors import InputError
from styleheat_cli.face.morphable import POINTS, Fit
from styleheat_cli.face.regions import LIP_POINTS, OVAL
from styleheat_cli.metrics.attributes import BLOCKS, SIZES, columns, readings
from styleheat_cli.training.attributes import AGES, SMILES, TERMS, Labelled, labels_of, learn

FOLD = (slice(120, 140), slice(60, 64))  # of the texture, on one cheek
CHIN = (slice(190, 205), slice(110, 146))


@pytest.fixture(scope="module")
def model():
    return Engine("default", device="cpu").morphable


def portrait(rng, number, smile_along):
    """A made-up face: an older one has a fold that lies deeper, a bearded one a dark chin, a smiling one a coefficient."""
    feminine = number % 2 == 0
    age, smile = int(rng.integers(len(AGES))), int(rng.integers(len(SMILES)))
    beard = "beard" if not feminine and rng.uniform() < 0.4 else "none"
    light = 0.02 * rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    light[FOLD] -= 0.1 * age
    light[:, ::-1][FOLD] -= 0.1 * age
    light[CHIN] -= 0.8 * (beard == "beard")
    expression = 0.1 * rng.normal(size=64) + smile * smile_along
    fitted = Fit(0.1 * rng.normal(size=50) + 0.2 * age * np.eye(50)[0], expression[None], np.zeros((1, 3)), np.ones(1), np.zeros((1, 3)), np.zeros((POINTS, 3)))
    labels = {
        "age": AGES[age], "beard": beard, "smile": SMILES[smile], "glasses": "none", "presentation": "feminine" if feminine else "masculine",
        "lips": "coloured" if feminine and rng.uniform() < 0.5 else "natural", "hair": "grey_or_white" if age == 4 else "dark",
    }  # fmt: skip
    found = {name: rng.normal(size=size) for name, size in SIZES.items()}
    found["relief"][:9] += age
    found["lips"] = np.array([-5.0, 10.0, 3.0]) * (labels["lips"] == "coloured") + 0.3 * rng.normal(size=3)
    found["hair"] = np.array([0.9, 0.1, 0.2]) if age == 4 else np.array([0.4, 0.5, 0.8])
    facing = np.ones((SIDE, SIDE), np.float16)
    return Labelled(labels, True, fitted, light.astype(np.float16), facing, found)


@pytest.fixture(scope="module")
def along():
    return np.eye(64)[3] - np.eye(64)[7]


@pytest.fixture(scope="module")
def learnt(model, along):
    rng = np.random.default_rng(0)
    faces = [portrait(rng, number, along) for number in range(80)]
    return learn(model, faces), faces


def test_a_fold_that_deepens_with_age_is_found_there_and_nowhere_else(learnt):
    folds = learnt[0][0].folds
    inside = folds[125:135, 61:63].mean()
    assert inside < -0.03  # what of a tenth a step is left between 2 and 16 texels
    assert abs(folds[20:60].mean()) < 0.002 and abs(folds[CHIN].mean()) < 0.1 * abs(inside)
    assert np.array_equal(folds, folds[:, ::-1])


def test_a_beard_grows_where_bearded_faces_are_dark(learnt, model):
    cover = learnt[0][0].beard
    assert cover.min() >= 0 and cover.max() <= 1
    assert cover[CHIN].mean() > 0.5 and cover[:118].max() == 0
    assert cover[Atlas(model).polygon((61, 0, 291, 17)) > 0.9].max() < 0.2  # not on the lips


def test_a_smile_is_the_expression_of_a_class(learnt, along):
    assert np.abs(learnt[0][0].smile - along).max() < 0.15


def test_age_changes_neither_lips_nor_outline(learnt, model):
    shape = learnt[0][0].shape
    still = [*LIP_POINTS, *OVAL]
    assert np.abs(shape[still]).max() < 1e-12 < 1e-3 < np.abs(shape).max()
    assert np.allclose(shape, shape[model.mirror] * [-1, 1, 1])


def test_lips_and_grey_hair_get_the_colours_that_labels_have(learnt):
    look = learnt[0][0]
    assert np.abs(look.lips / [-5, 10, 3] - 1).max() < 0.25  # the ridge takes a part
    assert np.allclose(look.grey, [0.9, 0.1, 0.2], atol=1e-6) and 0.1 < look.age_grey[0] < 0.3


def test_readings_rise_with_what_they_read_and_look_at_nothing_else(learnt):
    (look, facts), faces = learnt
    young, old = (next(face for face in faces if face.labels["age"] == age) for age in (AGES[0], AGES[-1]))
    assert readings(look, old.features)["age"] > readings(look, young.features)["age"] + 1
    assert facts["portraits"] == 80 and facts["age_read"] > 0.5
    for weights, blocks in zip(look.judge_weights, BLOCKS.values(), strict=True):
        assert not weights[:-1][~columns(faces[0].features, blocks)].any()


def test_the_terms_of_a_portrait_say_its_labels(learnt):
    for face in learnt[1]:
        terms = dict(zip(TERMS, face.terms, strict=True))
        assert terms["one"] == 1 and terms["stubble"] == terms["glasses"] == terms["grey picture"] == 0
        assert AGES[int(terms["age"] + 2)] == face.labels["age"] and bool(terms["beard"]) == (face.labels["beard"] == "beard")
        assert (terms["slight"], terms["open"]) == {"none": (0, 0), "slight": (1, 0), "open": (0, 1)}[face.labels["smile"]]


def test_a_folder_without_labels_says_what_is_wanted(tmp_path):
    with pytest.raises(InputError, match=r"no labels\.json"):
        labels_of(tmp_path)
    (tmp_path / "labels.json").write_text(json.dumps({"labels": {"a.jpg": {"age": "60+"}}}))
    assert labels_of(tmp_path) == {"a.jpg": {"age": "60+"}}
