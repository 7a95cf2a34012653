"""Eyes: read once without their lids, drawn again wherever lids and gaze shall be.

What a photo shows between its lids is kept. Where lids open farther than they are in it, or are shut in it, the rest of the eyeball is
likely: a white in the light of the skin around, an iris of the colour that is seen (a dark one where none is).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import cv2
import numpy as np

from ..face.landmarks import OUTER_EYES
from ..face.regions import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from .fill import blended, drawn, filled, ramp
from .lashes import draw_lashes, line_of

EYES = ((LEFT_EYE, LEFT_IRIS), (RIGHT_EYE, RIGHT_IRIS))
REACH = 1.3  # side of an eyeball's patch in eye widths
READ = (0.095, 0.135)  # head sizes of an opening under which its eyeball cannot be read, and from which it can be relied on
LID_RIM, LASH_RIM = 1.5, 7.0  # pixels at 512 round an eye that are neither eyeball nor lid, and that lashes darken
COME_DOWN = (0.15, 0.5)  # shares of the source's opening from which on a lid is skin alone, and from which it is as in the source
BLINKING = 0.85  # share of an earlier frame's opening under which the earlier eyeball is the better one
FARTHER = (0.015, 0.065)  # head sizes by which an opening exceeds the photo's up to which nothing is made up, and from which all that it lacks is
LEAST = 0.02  # head sizes that an eye counts as open at least
RESTS = 0.35  # pixels at 512 up to which an eye counts as the source's own and is not drawn anew
SHUT = 1.0  # pixels at 512 between lids up to which no eyeball is seen
LID_EDGE = 0.8  # pixels at 512 of blur at the rim of an eye opening
SOFTNESS = (0.6, 6.0)  # pixels, from a picture that is as sharp as its pixels

IRIS, PUPIL, LIMBUS = 0.195, 0.42, (0.82, 0.45)  # radius in eye widths; shares of it: the pupil's radius, where the dark rim begins, its brightness
BROWN = np.array([0.42, 0.30, 0.24])  # of a likely iris, against the white
WHITE, TINT, BRIGHTEST = 0.95, 0.4, 232.0  # of the skin's light; share of its colour that a white takes on; levels that it does not exceed
CORNERS = 0.35  # by how much a white is darker at the corners
GLINT = (-0.30, -0.36, 0.15, 0.8)  # of the light in the iris: across and down, radius (in radii), strength
OWN_IRIS, OFF_IRIS = (0.5, 0.9), 1.15  # radii between which a pixel tells the colour of an iris, and from which that of a white
WHITES, IRISES = 85, 50  # percentiles of their brightness that are taken
ENOUGH = 6  # pixels that tell a colour
SKIN = (((119, 120, 121), (27, 28, 56)), ((348, 349, 350), (257, 258, 286)))  # points under and over each eye
UNDER = 0.7  # of the light on an eye: how much is that under it
LIT = (0.45, 0.7)  # brightness of what is seen of an eye against its likely white: in deep shadow it tells nothing
UNDER_LID, SHADE = 0.07, 0.45  # widths by which an upper lid's shadow falls, and how dark it is, on what is made up


@dataclass(frozen=True)
class Lid:
    """The skin of a shut eye: (h, w, 3) uint8 at `corner` (x, y) of the crop, and where (h, w) float32 it is."""

    skin: np.ndarray
    where: np.ndarray
    corner: np.ndarray


@dataclass(frozen=True)
class Eyeball:
    """One eye as if it had no lids: patch (h, w, 3) uint8 at `corner` (x, y) of the crop, as seen, its gaps filled from beside them;
    likely() (h, w, 3) uint8: with the gaps made up; lid(): what covers it as it shuts; iris and eye corners there; how far it was open,
    in head sizes; whether it is seen at all."""

    patch: np.ndarray
    likely: Callable[[], np.ndarray]  # made when an eye opens wide
    lid: Callable[[], Lid]  # ... and when it shuts
    corner: np.ndarray
    iris: np.ndarray
    ends: np.ndarray  # [2 2]: the points of the eye's two corners
    open: float
    seen: bool
    line: float  # brightness of the line of its lashes against the skin


def eyeball_of(image: np.ndarray, landmarks: np.ndarray, which: int, head: float) -> Eyeball | None:
    """The eyeball of one of the EYES of a crop (S, S, 3) with its landmarks (478, 3), of a head of so many pixels; none where hardly
    anything of it lies in the crop."""
    ring, iris = EYES[which]
    outline = landmarks[list(ring), :2]
    ends = outline[[0, len(ring) // 2]]
    width, open_by = float(np.linalg.norm(ends[1] - ends[0])), opening(outline) / head
    corner = np.floor(ends.mean(0) - REACH * width / 2).astype(int)
    corner, far = np.clip(corner, 0, len(image)), np.clip(corner + int(REACH * width), 0, len(image))
    patch = image[corner[1] : far[1], corner[0] : far[0]]
    if min(patch.shape[:2]) < 4:
        return None
    inside = cv2.erode(drawn(outline - corner, patch.shape[:2]), np.ones((3, 3))) > 0.7
    seen = open_by >= READ[0] and bool(inside.any())
    own = np.clip(cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.7) * inside, 0, 1) * seen
    white = _white(image, landmarks, which)
    bright = float(np.percentile(patch.mean(-1)[inside], 90)) / white.mean() if seen else 0.0
    relied = own * ramp(open_by, READ) * ramp(bright, LIT)
    likely = cache(partial(_made_up, image, landmarks, outline, landmarks[iris[0], :2], corner, relied, white))
    spread = blended(patch, filled(patch, inside), 1 - own) if seen else patch
    lid, line = lid_of(image, outline), line_of(image, outline)
    return Eyeball(spread, likely, lid, corner.astype(float), landmarks[iris[0], :2], ends, open_by, seen, line)


def lid_of(image: np.ndarray, outline: np.ndarray) -> Callable[[], Lid]:
    """What makes the lid of an eye (16, 2) in a crop (S, S, 3): skin from beyond its lashes."""
    return cache(partial(_lid, image, outline, LASH_RIM * len(image) / 512))


def _lid(image: np.ndarray, outline: np.ndarray, reach: float) -> Lid:
    low = np.clip(np.floor(outline.min(0) - 3 * reach).astype(int), 0, len(image) - 1)
    high = np.clip(np.ceil(outline.max(0) + 3 * reach).astype(int) + 1, low + 1, len(image))
    patch = image[low[1] : high[1], low[0] : high[0]]
    eye = cv2.dilate(drawn(outline - low, patch.shape[:2]), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(reach) + 1,) * 2))
    where = cv2.GaussianBlur(eye, (0, 0), reach / 3) if (eye == 0).any() else 0 * eye
    return Lid(filled(patch, eye == 0), where, low.astype(np.float32))


def _made_up(
    image: np.ndarray, landmarks: np.ndarray, outline: np.ndarray, iris: np.ndarray, corner: np.ndarray, relied: np.ndarray,
    white: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(h, w, 3) uint8: a likely eyeball for the patch at a corner, its white (3,) as given or, by how much of the patch can be relied on
    (h, w), in the colours that are seen there."""
    seen = np.ascontiguousarray(image[corner[1] : corner[1] + len(relied), corner[0] : corner[0] + relied.shape[1]])
    ends = outline[[0, len(outline) // 2]]
    along = (ends[1] - ends[0]) / max(float(np.linalg.norm(ends[1] - ends[0])), 1e-3)
    width = float((ends[1] - ends[0]) @ along)
    places = np.stack(np.meshgrid(*(np.arange(n) + c + 0.5 for n, c in zip(relied.shape[::-1], corner, strict=True))), -1)
    way = np.stack([along, [-along[1], along[0]]])
    across, down = np.moveaxis((places - iris) @ way.T / (IRIS * width), -1, 0)
    radius, aside = np.hypot(across, down), np.abs((places - ends.mean(0)) @ along) / width
    white = _as_seen(white, seen, relied * (radius > OFF_IRIS), WHITES)
    brown = white * (1 - _colour(white) * (1 - BROWN / BROWN.mean())) * BROWN.mean()
    brown = _as_seen(brown, seen, relied * ((radius > OWN_IRIS[0]) & (radius < OWN_IRIS[1])), IRISES)
    shade = 1 - CORNERS * np.clip(2 * aside, 0, 1.2)[..., None] ** 2
    share = np.clip((1.04 - radius) / 0.1, 0, 1)[..., None]
    made = white * shade * (1 - share) + brown * _iris_light(across, down, radius)[..., None] * share
    x, y, size, strength = GLINT
    glint = strength * np.clip((size - np.hypot(across - x, down - y)) / 0.08 + 0.5, 0, 1)[..., None]
    made = made * (1 - glint) + np.minimum(1.15 * white.max(), 255) * glint
    made = np.clip(cv2.GaussianBlur(made, (0, 0), softness(image, landmarks)) + 0.5, 0, 255).astype(np.uint8)
    return blended(made, seen, relied)


def _iris_light(across: np.ndarray, down: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """(h, w): how bright an iris is: a dark pupil, fine rays, a dark rim, the half away from the light brighter."""
    begins, dark = LIMBUS
    rays = 1 + 0.10 * np.sin(23 * np.arctan2(down, across)) * np.sin(11 * np.arctan2(across, down))
    rim = 1 - (1 - dark) * np.clip((radius - begins) / (1 - begins), 0, 1)
    pupil = np.clip((radius - PUPIL) / 0.1 + 0.5, 0.08, 1)
    return (1 + 0.2 * down) * rays * rim * pupil


def _white(image: np.ndarray, landmarks: np.ndarray, which: int) -> np.ndarray:
    """(3,) RGB of an eye's white where none is seen: by the light on the skin under the eye, and a little by that over it."""
    under, over = SKIN[which]
    tones = []
    for points in (under, over):
        at = landmarks[list(points), :2].clip(0, len(image) - 1).astype(int)
        tones.append(image[at[:, 1], at[:, 0]].astype(np.float64).mean(0))
    skin = np.maximum(UNDER * tones[0] + (1 - UNDER) * tones[1], 1)
    return min(WHITE * float(skin.mean()), BRIGHTEST) * (skin / skin.mean()) ** TINT


def _as_seen(likely: np.ndarray, patch: np.ndarray, weight: np.ndarray, percentile: float) -> np.ndarray:
    """(3,) RGB: a likely colour, or as far as the weight (h, w) says that of a patch: of its brightness at this percentile."""
    share = float(weight.max(initial=0))
    colours = patch[weight > share / 2]
    if share <= 0 or len(colours) < ENOUGH:
        return likely
    low, high = np.percentile(colours.mean(-1), [percentile - 15, percentile + 15])
    alike = colours[(colours.mean(-1) >= low) & (colours.mean(-1) <= high)]
    return share * alike.mean(0) + (1 - share) * likely


def _colour(tone: np.ndarray) -> float:
    """0 for a grey tone (3,) to 1 for one of a picture in colour."""
    return float(np.clip((tone.max() - tone.min()) / tone.max() / 0.03, 0, 1))


def wider(now: Eyeball | None, before: Eyeball | None) -> Eyeball | None:
    """Of the eyeballs of two moments the one that is seen better, under the lid of the first."""
    if now is None or before is None:
        return now or before
    better = now.open > BLINKING * before.open if now.seen == before.seen else now.seen
    return now if better else replace(before, lid=now.lid)


def lidded(person: np.ndarray, landmarks: np.ndarray, eyeballs: tuple[Eyeball | None, Eyeball | None]) -> np.ndarray:
    """(S, S, 3) uint8: a person with lids in place of the eyes that are seen: what shows between lids that meet."""
    person, wide = person.copy(), 2 * round(LID_RIM * len(person) / 512) + 1
    for eyeball, (ring, _iris) in zip(eyeballs, EYES, strict=True):
        outline = landmarks[list(ring), :2]
        pad = REACH * np.ptp(outline[:, 0]) / 2
        low, high = (np.clip(outline.mean(0) + way * pad, 0, len(person)).astype(int) for way in (-1, 1))
        if eyeball is not None and eyeball.seen and (high - low).min() >= 4:
            part = person[low[1] : high[1], low[0] : high[0]]
            eye = cv2.dilate(drawn(outline - low, part.shape[:2]), np.ones((wide, wide)))
            part[:] = blended(part, filled(part, eye == 0), eye)
    return person


def show(
    image: np.ndarray, source: np.ndarray, eyeball: Eyeball, which: int, target: np.ndarray, before: np.ndarray, at: np.ndarray, head: float
) -> None:
    """Draws one of the EYES of a picture (S, S, 3) uint8, in place: the source's own where it rests, else turned to where its iris shall
    be, between the target's lids.

    target, before (N, 3): the mesh in picture and source, in pixels; at (S, S, 2) float32: where each pixel's centre lies in the source,
    counted from that of its first pixel; head: pixels of a head size in the source.
    """
    ring, iris = EYES[which]
    outline, open_by = target[list(ring), :2], _open_by(which, target, before, head)
    stays = still_open(eyeball, which, target, before, head)
    share = down(stays)
    if share > 0:
        _come_down(image, eyeball, outline, share, at)
    moved = np.abs(target[[*ring, *iris], :2] - before[[*ring, *iris], :2]).max()
    if moved > RESTS * len(image) / 512:
        _look(image, eyeball, outline, target[iris[0], :2], open_by)
        draw_lashes(image, outline, max(width_of(target[list(each), :2]) for each, _ in EYES), eyeball.line, share, stays)
    elif eyeball.seen:
        _keep(image, source, outline)


def still_open(eyeball: Eyeball, which: int, target: np.ndarray, before: np.ndarray, head: float) -> float:
    """How far one of the EYES of the target is open, as a share of the opening in the source: 1 where that is no eye that could shut.
    As for `show`."""
    if not eyeball.seen:
        return 1.0
    own = min(eyeball.open, opening(before[list(EYES[which][0]), :2]) / head)  # less where the eyeball is that of another moment
    return max(_open_by(which, target, before, head), LEAST) / max(own, LEAST)


def down(stays: float) -> float:
    """0 where an eye is as open as in the source, of which such a share stays open, to 1 where its lid is down."""
    return float(1 - ramp(stays, COME_DOWN))


def _open_by(which: int, target: np.ndarray, before: np.ndarray, head: float) -> float:
    """How far one of the EYES of the target is open, in head sizes."""
    outer = list(OUTER_EYES)
    grown = np.linalg.norm(np.diff(target[outer], axis=0)) / max(float(np.linalg.norm(np.diff(before[outer], axis=0))), 1e-6)
    return opening(target[list(EYES[which][0]), :2]) / (head * max(float(grown), 1e-3))


def opening(outline: np.ndarray) -> float:
    """Pixels between the lids: the area inside the outline (16, 2) over the distance of its corners."""
    return float(cv2.contourArea(outline.astype(np.float32)) / max(width_of(outline), 1e-3))


def openness(outline: np.ndarray) -> float:
    """The same in eye widths."""
    return opening(outline) / max(width_of(outline), 1e-3)


def width_of(outline: np.ndarray) -> float:
    """Pixels between the corners of an outline (16, 2)."""
    return float(np.linalg.norm(outline[len(outline) // 2] - outline[0]))


def _come_down(image: np.ndarray, eyeball: Eyeball, outline: np.ndarray, share: float, at: np.ndarray) -> None:
    """Lays the skin of a lid over what its edge, with its lashes, is stretched to where it comes down; changes `image`."""
    lid = eyeball.lid()
    reach = np.array(lid.where.shape[::-1])
    low, high = (np.clip(outline.mean(0) + way * reach, 0, len(image)).astype(int) for way in (-1, 1))
    part = image[low[1] : high[1], low[0] : high[0]]
    if part.size == 0:
        return
    there = np.ascontiguousarray(at[low[1] : high[1], low[0] : high[0]] - lid.corner)
    skin = cv2.remap(lid.skin, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = share * cv2.remap(lid.where, there, None, cv2.INTER_LINEAR, borderValue=0)
    part[:] = cv2.blendLinear(skin, np.ascontiguousarray(part), weight, 1 - weight)


def _keep(image: np.ndarray, source: np.ndarray, outline: np.ndarray) -> None:
    """Puts the source's own eye into the picture; changes `image`."""
    low, high = np.clip([outline.min(0) - 3, outline.max(0) + 4], 0, len(image)).astype(int)
    if (high <= low).any():
        return
    eye = cv2.GaussianBlur(cv2.dilate(drawn(outline - low, (high - low)[::-1]), np.ones((3, 3))), (0, 0), 1)
    part, own = (np.ascontiguousarray(each[low[1] : high[1], low[0] : high[0]]) for each in (image, source))
    image[low[1] : high[1], low[0] : high[0]] = cv2.blendLinear(own, part, eye, 1 - eye)


def _look(image: np.ndarray, eyeball: Eyeball, outline: np.ndarray, iris: np.ndarray, open_by: float) -> None:
    """Draws the eyeball, turned to where the iris shall be, inside the target's lids; changes `image`."""
    unit = len(image) / 512
    apart, lacks = opening(outline) / unit, ramp(open_by - eyeball.open, FARTHER)
    rim = int(np.ceil(3 * LID_EDGE * unit))
    low = np.clip(np.floor(outline.min(0)).astype(int) - rim, 0, len(image))
    high = np.clip(np.ceil(outline.max(0)).astype(int) + rim + 1, 0, len(image))
    if apart < SHUT or (high <= low).any() or not (eyeball.seen or lacks):
        return
    turn = _turn(outline[[0, len(outline) // 2]], eyeball.ends)
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    at = ((np.stack([x, y], -1) - iris) @ turn.T + eyeball.iris - eyeball.corner - 0.5).astype(np.float32)
    inside = drawn(outline - low, at.shape[:2])
    seen = cv2.remap(eyeball.patch, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if lacks > 0:
        likely = cv2.remap(eyeball.likely(), at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        width = float(np.linalg.norm(outline[len(outline) // 2] - outline[0]))
        seen = cv2.addWeighted(_under_lid(likely, inside, UNDER_LID * width), lacks, seen, 1 - lacks, 0)
    share = cv2.GaussianBlur(inside, (0, 0), LID_EDGE * unit) * (1.0 if eyeball.seen else lacks)
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = cv2.blendLinear(seen, np.ascontiguousarray(part), share, 1 - share)


def _under_lid(eye: np.ndarray, inside: np.ndarray, fall: float) -> np.ndarray:
    """(h, w, 3) uint8: an eye in the shadow of its upper lid, which falls so many pixels below it; inside (h, w): the opening."""
    lit = cv2.warpAffine(inside, np.float32([[1, 0, 0], [0, 1, fall]]), inside.shape[::-1])
    lit = cv2.GaussianBlur(lit, (0, 0), max(fall, 0.5), borderType=cv2.BORDER_CONSTANT)
    return np.round(eye * (1 - SHADE * (1 - lit))[..., None]).astype(np.uint8)


def _turn(at: np.ndarray, to: np.ndarray) -> np.ndarray:
    """(2, 2): rotation with scale that carries the way between two points to that between two others."""
    a, b = at[1] - at[0], to[1] - to[0]
    size = max(float(a @ a), 1e-6)
    cos, sin = float(a @ b) / size, float(a[0] * b[1] - a[1] * b[0]) / size
    return np.array([[cos, -sin], [sin, cos]])


def softness(image: np.ndarray, landmarks: np.ndarray) -> float:
    """Standard deviation in pixels of the blur of a picture (S, S, 3): of a step as high as the contrast of an eye, and as steep as the
    steepest edge in it."""
    found = [SOFTNESS[0]]
    for ring, _iris in EYES:
        points = landmarks[list(ring), :2].clip(0, len(image) - 1)
        low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
        eye = image[low[1] : high[1], low[0] : high[0]].mean(-1)
        if min(eye.shape) >= 3:
            steepest = np.percentile(np.hypot(*np.gradient(eye)), 98)
            found.append(np.ptp(np.percentile(eye, [2, 98])) / (np.sqrt(2 * np.pi) * max(steepest, 1e-3)))
    return float(np.clip(max(found), *SOFTNESS))
