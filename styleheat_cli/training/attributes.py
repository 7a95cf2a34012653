"""What labelled portraits have in common: where faces fold with age, where beards grow, how lips, hair and smiles differ.

Every quantity is regressed on all labels at once, so that what goes with presentation, beard, smile or glasses is not taken
for age. Each picture counts twice, once mirrored. Labels come from a JSON file beside the portraits (`labels.json`): for
each file a table of age band, beard, smile, glasses, lips, hair, presentation, eyes, usable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from ..engine.appearance_edit import EDITS, Appearance
from ..engine.mesh import source_mesh
from ..engine.performance import into_crop
from ..engine.texture import SIDE, Atlas
from ..errors import InputError
from ..face.morphable import Fit, Morphable, fit
from ..face.regions import LIP_POINTS, NOSTRILS, OUTER_LIPS, OVAL
from ..metrics.attributes import BLOCKS, SIZES, columns, features, flattened, log_light
from ..shot import POINTS
from .material import Tracked

AGES = ("18-29", "30-39", "40-49", "50-59", "60+")
CROP_SIDE = 512  # pixels; smaller heads stay as they are
SMILES = ("none", "slight", "open")
TERMS = ("one", "age", "feminine", "stubble", "moustache", "beard", "slight", "open", "glasses", "grey picture", "yaw", "pitch")
YAW = TERMS.index("yaw")
MOST_TURNED = 0.6  # radians of yaw beyond which a portrait says nothing of one half of the face
BLURS = (1, 2, 4, 8, 16)  # texels
FOLDS = slice(2, 5)  # bands between 2 and 16 texels: folds, and no pores and no shading
COLOURLESS = ("relief", "shape", "mouth")  # features that grey pictures have
RIDGE = 2.0
NOTHING = 0.01  # log lightness: a beard that darkens the jaw by less is none
RESTING = 0.6  # head sizes round lips and outline within which a shape hardly changes


@dataclass(frozen=True)
class Labelled:
    """A portrait: its labels, whether it has colours, its fit, its texture's log lightness and facing (256, 256), its features."""

    labels: dict[str, str]
    coloured: bool
    fitted: Fit
    light: np.ndarray
    facing: np.ndarray
    features: dict[str, np.ndarray]

    @property
    def terms(self) -> np.ndarray:
        """(12,) of TERMS."""
        said = self.labels
        beard, smile = said["beard"], said["smile"]
        return np.array([
            1, AGES.index(said["age"]) - 2, (said["presentation"] == "feminine") - 0.3, beard == "stubble",
            beard == "moustache", beard == "beard", smile == "slight", smile == "open", said["glasses"] == "clear",
            not self.coloured, self.fitted.angles[0, 1], self.fitted.angles[0, 0],
        ], float)  # fmt: skip


def labels_of(data: Path) -> dict[str, dict[str, str]]:
    """The labels by file name. Raises InputError where the folder has none."""
    path = Path(data) / "labels.json"
    if not path.is_file():
        raise InputError(f"{data} holds no labels.json", hint="attributes are learnt from labelled portraits")
    return json.loads(path.read_text("utf-8"))["labels"]


def labelled(model: Morphable, found: Iterator[Tracked], labels: dict[str, dict[str, str]]) -> Iterator[Labelled]:
    """The portraits that can be learnt from."""
    for portrait in found:
        said = labels.get(portrait.item.name)
        if not said or said["usable"] != "yes" or said["eyes"] != "open" or said["glasses"] == "sun":
            continue
        side = min(CROP_SIDE, max(64, round(portrait.side)))
        crop = portrait.crop[0].astype(np.float64)
        landmarks = into_crop(portrait.landmarks[0].astype(np.float64), crop, side)
        fitted = fit(model, landmarks[None])
        if abs(fitted.angles[0, 1]) > MOST_TURNED:
            continue
        image = portrait.pictures({0}, side)[0]
        texture, facing = Atlas(model).unwrapped(image, source_mesh(model, landmarks, fitted))
        coloured = said["lips"] != "unknown"
        found_features = features(model, image, landmarks, SIZES if coloured else COLOURLESS)
        yield Labelled(said, coloured, fitted, log_light(texture).astype(np.float16), facing.astype(np.float16), found_features)


def learn(model: Morphable, faces: list[Labelled]) -> tuple[Appearance, dict[str, float]]:
    """The appearance, and what it measured of itself: counts and how well the labels can be read from pictures left out."""
    terms = np.array([face.terms for face in faces])
    bands = _by_texel(faces, terms)  # [6 256 256 12]
    folds = bands[FOLDS].sum(0)
    age, smile = TERMS.index("age"), TERMS.index("open")
    judge_mean, judge_scale, judge_weights, quality = _judges(faces)
    look = Appearance(
        folds=folds[..., age], smile_folds=folds[..., smile] / 2, shape=_shape(model, faces, terms), smile=_smile(faces, terms),
        beard=_cover(Atlas(model), bands), lips=_lips(faces), grey=_grey(faces), age_grey=_greying(faces),
        judge_mean=judge_mean, judge_scale=judge_scale, judge_weights=judge_weights,
    )  # fmt: skip
    return look, {"portraits": len(faces), "in_colour": sum(face.coloured for face in faces), **quality}


def _by_texel(faces: list[Labelled], terms: np.ndarray) -> np.ndarray:
    """(6, 256, 256, 12): each texel's bands of log lightness regressed on the terms, weighted by how squarely it was seen."""
    count = len(TERMS)
    gram = np.zeros((SIDE, SIDE, count, count), np.float32)
    moments = np.zeros((len(BLURS) + 1, SIDE, SIDE, count), np.float32)
    for face, row in zip(faces, terms.astype(np.float32), strict=True):
        for flip in (1, -1):
            light, facing = (a.astype(np.float32)[:, ::flip] for a in (face.light, face.facing))
            weight = np.clip(1.5 * facing - 0.2, 0, 1)
            turned = np.where(np.arange(count) == YAW, flip * row, row)
            gram += weight[..., None, None] * np.outer(turned, turned)
            moments += (weight * _bands(light, weight))[..., None] * turned
    solved = np.linalg.solve(gram + RIDGE * np.eye(count, dtype=np.float32), moments[..., None])[..., 0]
    return (solved + solved[:, :, ::-1]) / 2


def _bands(light: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(6, 256, 256): differences of blurs, and what is left against the face's mean."""
    levels = [light, *(cv2.GaussianBlur(light, (0, 0), blur) for blur in BLURS)]
    rest = levels[-1] - (levels[-1] * weight).sum() / max(weight.sum(), 1)
    return np.stack([*(fine - coarse for fine, coarse in pairwise(levels)), rest])


def _cover(atlas: Atlas, bands: np.ndarray) -> np.ndarray:
    """(256, 256) in [0, 1]: where beards grow, by how much darker the skin is there with a beard or, along the jaw, stubble."""
    down, across = np.mgrid[:SIDE, :SIDE]
    jaw = (down > 140) & (atlas.polygon(OVAL) > 0.5)
    grown, kinds = [], (("beard", 90, 2, 0.12, 0.55), ("stubble", 95, 3, 0.15, 0.6))
    for name, percentile, blur, least, over in kinds:
        darker = -bands[3:, ..., TERMS.index(name)]
        darker[2] -= np.median(darker[2])
        darker = np.where(down < 120, 0, cv2.GaussianBlur(darker.sum(0), (0, 0), blur))
        grown.append(np.clip((darker / max(np.percentile(darker[jaw], percentile), NOTHING) - least) / over, 0, 1))
    beard, stubble = grown
    stubble *= np.clip((down - 150) / 14, 0, 1) * np.clip((112 - abs(across - 128)) / 12, 0, 1)
    bare = np.clip(1.3 * atlas.polygon(OUTER_LIPS, 1), 0, 1), atlas.polygon(NOSTRILS, 2, hull=True)
    skin = cv2.GaussianBlur(_outline(atlas), (0, 0), 5)
    room = (1 - bare[0]) * (1 - bare[1]) * np.clip(1.4 * skin - 0.4, 0, 1)
    both = cv2.GaussianBlur(np.maximum(beard, 0.85 * stubble), (0, 0), 1.5)
    return both * room


def _outline(atlas: Atlas) -> np.ndarray:
    """(256, 256): the texture's own outline, the ring round the face included."""
    ring = np.round(atlas.places[POINTS:] * SIDE * 16).astype(np.int32)
    filled = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(filled, [ring], 255, cv2.LINE_AA, 4)
    return filled.astype(np.float32) / 255


def _regressed(values: np.ndarray, terms: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """(K, ...) coefficients of values (N, ...) on terms (N, K)."""
    flat = values.reshape(len(values), -1)
    solved = np.linalg.solve(terms.T @ terms + ridge * np.eye(terms.shape[1]), terms.T @ flat)
    return solved.reshape(terms.shape[1], *values.shape[1:])


def _shape(model: Morphable, faces: list[Labelled], terms: np.ndarray) -> np.ndarray:
    """(478, 3): what ten years add to the face at rest, the same on both sides; lips keep theirs, so that teeth stay as they are, and so does
    the outline, so that nothing beside a turned face comes to light."""
    shapes = np.array([np.tensordot(face.fitted.identity, model.identity, axes=1) + face.fitted.own for face in faces])
    change = _regressed(shapes, terms)[TERMS.index("age")]
    change = (change + change[model.mirror] * [-1, 1, 1]) / 2
    at_rest = (*LIP_POINTS, *OVAL)
    away = np.linalg.norm(model.mean[:, None, :2] - model.mean[list(at_rest), :2], axis=-1).min(1)
    return change * (1 - np.exp(-((away / RESTING) ** 2)))[:, None]


def _smile(faces: list[Labelled], terms: np.ndarray) -> np.ndarray:
    """(64,): the expression of one class of smile."""
    steps = np.array([SMILES.index(face.labels["smile"]) for face in faces], float)
    others = np.delete(terms, [TERMS.index("slight"), TERMS.index("open")], axis=1)
    expression = np.array([face.fitted.expression[0] for face in faces])
    return _regressed(expression, np.column_stack([others, steps]))[-1]


def _lips(faces: list[Labelled]) -> np.ndarray:
    """(3,) Lab: what colour adds to lips, among coloured pictures."""
    shown = [face for face in faces if face.coloured and face.features["lips"].any()]
    painted = np.array([face.labels["lips"] == "coloured" for face in shown], float)
    terms = np.column_stack([np.array([face.terms[:3] for face in shown]), painted])
    return _regressed(np.array([face.features["lips"] for face in shown]), terms)[-1]


def _grey(faces: list[Labelled]) -> np.ndarray:
    """(3,): the tone of grey hair against the skin, lightness as a share."""
    shown = [face.features["hair"] for face in faces if face.coloured and face.labels["hair"] == "grey_or_white"]
    return np.median([tone for tone in shown if tone.any()] or [np.array([0.9, 0, 0])], axis=0)


def _greying(faces: list[Labelled]) -> np.ndarray:
    """(1,): share of people whom ten years turn grey."""
    shown = [face for face in faces if face.labels["hair"] in ("dark", "light", "blond_or_red", "grey_or_white")]
    grey = np.array([face.labels["hair"] == "grey_or_white" for face in shown], float)
    return _regressed(grey, np.array([face.terms[:3] for face in shown]))[1:2]


def _steps(face: Labelled) -> dict[str, float | None]:
    """The labels in steps; nothing where the picture cannot say."""
    said = face.labels
    hair = {"grey_or_white": 1.0, "dark": 0.0, "blond_or_red": 0.0}.get(said["hair"]) if face.coloured else None
    return {
        "age": float(AGES.index(said["age"])),
        "beard": {"none": 0.0, "stubble": 1.0, "moustache": 1.0, "beard": 2.0}[said["beard"]],
        "lips": {"natural": 0.0, "coloured": 1.0}.get(said["lips"]),
        "smile": float(SMILES.index(said["smile"])),
        "grey": hair if face.features["hair"].any() else None,
    }


def _judges(faces: list[Labelled]):
    """Mean and scale (F,) of the features, weights (5, F + 1) of the readings, and their correlation with the labels of every
    fifth portrait when these are left out of the fit."""
    values = np.array([flattened(face.features) for face in faces])
    coloured = np.array([face.coloured for face in faces])
    mean = values[coloured].mean(0)
    grey_mean = values[~coloured].mean(0) if (~coloured).any() else mean
    scale = values[coloured].std(0) + 1e-3 + 0.05 * np.abs(mean)
    values = (values - np.where(coloured[:, None], mean, grey_mean)) / scale
    fold, weights, quality = np.arange(len(faces)) % 5, [], {}
    for name in EDITS:
        known = np.array([_steps(face)[name] is not None for face in faces])
        wanted = np.array([_steps(face)[name] or 0.0 for face in faces])
        own = columns(faces[0].features, BLOCKS[name])
        left_out = known & coloured & (fold == 0)
        trial = _ridge(values, wanted, known & (fold != 0), own, coloured)
        read = np.column_stack([values, np.ones(len(values))]) @ trial
        quality[f"{name}_read"] = round(float(np.corrcoef(read[left_out], wanted[left_out])[0, 1]), 3)
        weights.append(_ridge(values, wanted, known, own, coloured))
    return mean, scale, np.array(weights), quality


def _ridge(values: np.ndarray, wanted: np.ndarray, rows: np.ndarray, own: np.ndarray, coloured: np.ndarray) -> np.ndarray:
    """(F + 1,): weights of one reading on its own columns; grey pictures are centred by themselves, and count less."""
    means = [wanted[rows & (coloured == kind)].mean() if (rows & (coloured == kind)).any() else 0.0 for kind in (False, True)]
    aim = wanted - np.where(coloured, means[1], means[0])
    weight = np.where(coloured, 1.0, 0.5)[rows, None]
    x = values[rows][:, own]
    ridge = 0.3 * x.shape[1] * np.eye(x.shape[1]) + np.eye(x.shape[1])
    out = np.zeros(values.shape[1] + 1)
    out[:-1][own] = np.linalg.solve(x.T @ (weight * x) + ridge, x.T @ (weight[:, 0] * aim[rows]))
    out[-1] = means[1]
    return out

