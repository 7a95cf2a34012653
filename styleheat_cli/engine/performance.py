"""The embedded family's pictures: a source frame taken apart, its target mesh, its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..face.align import crop_image, warp
from ..face.landmarks import Landmarker, region_of
from ..face.morphable import canonical, fit_frames, gaps, placed, rotation
from ..face.regions import LEFT_LIDS, LIPS, RIGHT_LIDS
from ..face.shoulders import carried, middle_of
from ..media.ahead import ahead
from ..media.pixels import to_images
from ..progress import Progress, silent
from ..shot import ANGLES, POINTS, TRANSLATION, FaceTrack, Frame, MotionTrack, Shot
from .appearance_edit import NO_CHANGE, Canvas, Change, Memory, edited
from .dental import teeth_of
from .eyes import down, still_open
from .fitting import encoded, fitted, window_of
from .heal import SIDE, Feature, Opening, eye_opening, heal, heal_lids, inverted, mouth_opening
from .inversion import Inversion
from .inverting import told
from .mesh import Way, target_mesh, unfolded
from .plate import Plate, make_plate, repainted, with_open_eyes
from .response import USUAL, Response, made_up_for, measured, mouth
from .retarget import opening_rows
from .synthesis import Warped, warped
from .teeth import Teeth, show
from .texture import Atlas

if TYPE_CHECKING:
    from .engine import Engine

LARGEST_SIDE = 1536  # the head is worked on at its own resolution up to this
SEEN = np.array([1.2, 1.0, 1.0])
"""Times the pitch, yaw and roll by which a picture is turned, so that they are seen in full: a warped picture keeps the light
and the foreshortening of its own pitch, and its pitch is read as a fifth too small (measured by refitting results)."""
CLOSED, CLOSING = 0.08, 0.3  # shares of the opening at ease at which lids meet, and from which they draw together
AROUND = np.ones((5, 5), np.uint8)  # pixels round painted ones that are pasted with them
SETTLED = 2  # looks at a face until its points stay where they are
STREAKS = (0.015, 0.06)  # sides of the square: blurs of what lies so far beyond a frame's border
STAYS = 1e-4  # radians, or sides of the crop, by which a head that does not move may differ
PASTE_RIM = 0.02  # share of the crop's side over which the pasted square fades out


@dataclass(frozen=True)
class Stage:
    """A source frame ready to perform: its plate, its feature, and how its landmarks differ from the model's."""

    frame: Frame
    crop: np.ndarray  # [2 3] frame pixels -> unit square
    plate: Plate
    feature: Feature  # round the mouth
    eyes: Callable[[int], Feature]  # ... and round each of the EYES: made when its lid comes down
    angles: np.ndarray  # [3] radians: its own pose
    still: np.ndarray  # [478 3] canonical: its landmarks as they are
    leftover: np.ndarray  # [478 3] canonical: what neither identity, expression nor pose explains of them
    teeth: Teeth  # of the first frame of a shot: they stay the same
    response: Response | None = None  # how a photo's head and mouth are seen to move
    change: Change = NO_CHANGE  # what attributes ask of the mesh
    memory: Memory = field(default_factory=Memory)  # what the shot has shown so far of skin and hair
    painted: np.ndarray | None = None  # [S S] float32: 1 where attributes changed the crop's pixels


class Performer:
    """The embedded family's painter."""

    methods = ("encode", "optimise")
    inverting = ("encoder", "generator")
    hears = False

    def __init__(self, engine: Engine):
        self.engine = engine
        one_thread_each()

    def framed(self, face: FaceTrack) -> FaceTrack:
        return face

    def read(self, motion: MotionTrack, face: FaceTrack) -> MotionTrack:
        return motion

    def square(self, crop: np.ndarray, size: int | None) -> tuple[np.ndarray, int]:
        return working_square(crop, size)

    def stage(
        self, shot: Shot, frame: Frame, row: int, crop: np.ndarray, side: int, before: Stage | None = None
    ) -> Stage:
        made = make_stage(self.engine, shot, frame, row, crop, side, before)
        return replace(made, response=response_of(self.engine, shot, made))

    def pictures(
        self, shot: Shot, stage: Stage, rows: range
    ) -> Iterator[tuple[np.ndarray, Callable[[], np.ndarray]]]:
        moved = self._moved(shot, stage, rows)
        with closing(ahead(moved, 2) if len(rows) > 1 else moved) as moved:  # no thread for the single row of a clip's frame
            for row, dressed, target, made in moved:
                image, changed = finished(self.engine, shot, dressed, row, target, made)
                yield image, lambda changed=changed: changed * rim(stage.plate.side)

    def _moved(self, shot: Shot, stage: Stage, rows: range) -> Iterator[tuple[int, Stage, np.ndarray, Warped]]:
        """For each output row the stage as it looks by then, the mesh, and what the flow makes of it: the half of the work that a thread
        does ahead."""
        looks, dressed, canvas = {}, stage, None
        for row in rows:
            if shot.looks(row) != looks:
                looks, canvas = shot.looks(row), canvas or canvas_of(self.engine, stage)
                dressed = with_looks(self.engine, stage, canvas, looks, given=shot.inversion is not None)
            target = target_of(self.engine, shot, dressed, row)
            yield row, dressed, target, warped(dressed.plate, target, self.engine.triangles)

    def picture(self, image: np.ndarray, crop: np.ndarray) -> np.ndarray:
        return crop_image(image, crop, SIDE)

    def invert(self, image: np.ndarray, method: str, steps: int, progress: Progress = silent) -> Inversion:
        if method == "encode":
            return encoded(self.engine.healing, image)
        return fitted(self.engine.healing, image, steps, told(steps, progress))

    def given_back(self, inversion: Inversion) -> np.ndarray:
        return to_images(inversion.image)[0]


def one_thread_each() -> None:
    """Decoding, warping, synthesis and encoding have a thread each; threads inside their small steps would only wait for another."""
    import torch
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")


def make_stage(
    engine: Engine, shot: Shot, frame: Frame, row: int, crop: np.ndarray, side: int, before: Stage | None = None
) -> Stage:
    """Takes a source frame apart, in a crop (2, 3) of `side` pixels; what it hides may be seen in the one before."""
    model = engine.morphable
    landmarks = into_crop(np.asarray(shot.face.landmarks[row], np.float64), crop, side)
    fit = fit_frames(model, landmarks[None], shot.person.identity, shot.person.own)
    real = within(frame.image.shape, crop, side)
    image = softened(crop_image(frame.image, crop, side), real)
    if before is not None and _cut_between(shot, before.frame, frame):
        before = None
    plate = make_plate(
        model, image, landmarks, fit, None if before else real, before and carried_over(before, crop, side), doubting=shot.clip.still and moves(shot)
    )  # fmt: skip
    inside = ends_of(real) if shot.clip.still else plate.inside  # a clip's square may come and go at its frame's borders
    plate = replace(plate, background=softened(plate.background, real), inside=inside)
    if before is not None:
        plate = with_open_eyes(plate, before.plate)
    explained = model.shape(fit.identity, fit.expression, fit.angles)[0] + fit.own
    seen = canonical(landmarks[None], fit.scale, rotation(fit.angles), fit.shift)[0]
    features = features_of(engine, image, landmarks, shot.inversion)
    teeth = teeth_of(plate) if before is None else before.teeth
    memory = Memory() if before is None else before.memory
    return Stage(frame, crop, plate, *features, fit.angles[0], seen, seen - explained, teeth, memory=memory)


def features_of(
    engine: Engine, image: np.ndarray, landmarks: np.ndarray, inversion: Inversion | None = None
) -> tuple[Feature, Callable[[int], Feature]]:
    """What a crop (S, S, 3) shows round its mouth, and when asked round each of the EYES, of the inversion where one is given."""
    points = landmarks * (SIDE / len(image))

    def of(opening: Opening) -> Feature:
        return inverted(engine.healing, image, opening) if inversion is None else window_of(inversion, opening, engine.healing)

    return of(mouth_opening(points)), cache(lambda which: of(eye_opening(points, which)))


def canvas_of(engine: Engine, stage: Stage) -> Canvas:
    """The stage's crop, ready to be edited."""
    return Canvas(engine.appearance, Atlas(engine.morphable), stage.plate, stage.memory)


def with_looks(
    engine: Engine, stage: Stage, canvas: Canvas, looks: Mapping[str | Path, float], given: bool = False
) -> Stage:
    """The stage with the face on its canvas edited in these directions; `given`: its features were given by an inversion and stay."""
    if not looks:
        return stage
    image, painted, change = edited(canvas, looks)
    feature, eyes = (stage.feature, stage.eyes) if given else features_of(engine, image, stage.plate.landmarks)
    return replace(stage, plate=repainted(stage.plate, image), feature=feature, eyes=eyes, change=change, painted=cv2.dilate(painted, AROUND))


def carried_over(before: Stage, crop: np.ndarray, side: int) -> np.ndarray:
    """(S, S, 3) uint8: the background of another frame's stage, in this crop."""
    here, there = (np.vstack([scale * each, [0, 0, 1]]) for scale, each in ((side, crop), (before.plate.side, before.crop)))
    return warp(before.plate.background, (here @ np.linalg.inv(there))[:2], (side, side))


def within(shape: tuple[int, ...], crop: np.ndarray, side: int) -> np.ndarray:
    """(S, S) bool: which pixels of a crop lie inside its frame (H, W, ...)."""
    return crop_image(np.ones(shape[:2], np.float32), crop, side, outside=0) > 0.99


def moves(shot: Shot) -> bool:
    """Whether the head turns, or leaves its place, at any time."""
    pose = slice(ANGLES.start, TRANSLATION.stop)
    return not np.allclose(shot.motion.coeffs[:, pose], shot.own.coeffs[0, pose], atol=STAYS)


def ends_of(real: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the frame of a crop begins and ends, across and down, real (S, S) bool what lies inside it."""
    places = (np.flatnonzero(real.any(axis)) for axis in (0, 1))
    return tuple((float(each[0]), float(each[-1] + 1)) for each in places)


def softened(image: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8: a crop whose pixels repeat where its frame ends (real (S, S) False), without the streaks of that."""
    if real.all():
        return image
    away, side = cv2.distanceTransform((~real).astype(np.uint8), cv2.DIST_L2, 3), len(image)
    for blur in STREAKS:
        share = np.clip(away / (blur * side), 0, 1)
        image = cv2.blendLinear(cv2.GaussianBlur(image, (0, 0), blur * side), image, share, 1 - share)
    return image


def _cut_between(shot: Shot, before: Frame, frame: Frame) -> bool:
    return any(float(before.time) < cut <= float(frame.time) + 1e-6 for cut in shot.face.cuts)


def picture(engine: Engine, shot: Shot, stage: Stage, row: int) -> tuple[np.ndarray, np.ndarray]:
    """(S, S, 3) uint8 of one output row, and (S, S) float32 where it differs from the source."""
    target = target_of(engine, shot, stage, row)
    return finished(engine, shot, stage, row, target, warped(stage.plate, target, engine.triangles))


def finished(engine: Engine, shot: Shot, stage: Stage, row: int, target: np.ndarray, made: Warped) -> tuple[np.ndarray, np.ndarray]:
    """The same from its mesh (N, 3) and what the flow made of it: with lids that come down and the inside of a mouth."""
    expression = stage.change.added_to(shot.motion.expression[row])
    motion = np.concatenate([expression, shot.motion.angles[row]]).astype(np.float32)
    if "calibration" not in engine.without:
        _heal_eyes(engine, stage, target, made, motion)
        heal(engine.healing, stage.feature, made.image, target, made.source_at, motion)
        show(stage.teeth, made.image, target, place_of(shot, stage, row), stage.plate.landmarks)
    if "detail" in engine.without:
        made.image[:] = without_detail(engine, made.image)
    return made.image, made.changed if stage.painted is None else np.maximum(made.changed, stage.painted)


def _heal_eyes(engine: Engine, stage: Stage, target: np.ndarray, made: Warped, motion: np.ndarray) -> None:
    plate = stage.plate
    for which, eyeball in enumerate(plate.eyeballs):
        share = 0.0 if eyeball is None else down(still_open(eyeball, which, target, plate.vertices, plate.place[0]))
        if share > 0:
            heal_lids(engine.healing, stage.eyes(which), made.image, target, made.source_at, motion, which, share)


def without_detail(engine: Engine, image: np.ndarray) -> np.ndarray:
    """A crop (S, S, 3) uint8 as encoder and generator alone give it back."""
    plain = to_images(encoded(engine.healing, image).image)[0]
    return cv2.resize(plain, image.shape[1::-1], interpolation=cv2.INTER_CUBIC) if len(plain) != len(image) else plain


def target_of(engine: Engine, shot: Shot, stage: Stage, row: int) -> np.ndarray:
    """(N, 3) the mesh that an output row asks for, in pixels of the crop."""
    shape = shape_of(engine, shot, stage, row)
    if stage.response is not None:
        shape = made_up_for(stage.response, engine.morphable, engine.mouth_moves, shape)
    shape = met(unfolded(shape, stage.still, engine.morphable.triangles), shot.own.calm)
    scale, turn, shift = place = place_of(shot, stage, row)
    landmarks = placed(shape[None], np.array([scale]), turn[None], shift[None])[0]
    return target_mesh(stage.plate.vertices, landmarks, stage.plate.place, place, shoulders_of(shot, stage, row))


def shoulders_of(shot: Shot, stage: Stage, row: int) -> Way | None:
    """Where the shoulders of an output row carry points (N, 2) of the crop."""
    if shot.motion.shoulders is None:
        return None
    way, points = shot.motion.shoulders[row].astype(np.float64), stage.plate.landmarks
    way[:2] = stage.plate.side * stage.crop[:, :2] @ way[:2]
    return partial(carried, middle=middle_of(points), way=way)


def shape_of(engine: Engine, shot: Shot, stage: Stage, row: int) -> np.ndarray:
    """(478, 3) canonical: the face that an output row asks for."""
    expression = stage.change.added_to(shot.motion.expression[row])
    shape = engine.morphable.shape(shot.person.identity, expression[None], turned(shot, stage, row)[None])[0]
    return shape + shot.person.own + stage.leftover + stage.change.shape


def response_of(engine: Engine, shot: Shot, stage: Stage) -> Response:
    """How a photo's head and mouth are seen to move in this performance of it; a clip's as usual."""
    model, motion = engine.morphable, shot.motion
    own = np.append(mouth(stage.still), stage.angles)
    if not shot.clip.still:
        return Response(own, USUAL)
    with ExitStack() as kept:
        landmarker = cache(lambda: kept.enter_context(Landmarker()))  # where there is anything to look at

        def look(row: int) -> np.ndarray | None:
            image, points = picture(engine, shot, stage, row)[0], target_of(engine, shot, stage, row)[:POINTS]
            for _ in range(SETTLED):
                points = None if points is None else landmarker().at(image, region_of(points))
            return points

        def ask(row: int) -> np.ndarray:
            return np.append(mouth(shape_of(engine, shot, stage, row)), motion.angles[row])

        return measured(model, shot.person, own, motion.expression @ opening_rows(model)[2], motion.angles[:, 0], ask, look)


def met(shape: np.ndarray, calm: np.ndarray) -> np.ndarray:
    """A canonical shape (478, 3) whose lids and lips meet along their whole length where they are all but closed.

    calm (3,): openings at ease; lips count against those of an eye, as at ease they are closed.
    """
    shape = shape.copy()
    least = max(float(calm[:2].mean()), 0.02)
    for pairs, ease in ((LEFT_LIDS, least), (RIGHT_LIDS, least), (LIPS, 0.4 * least)):
        gap = gaps(shape, pairs)
        share = np.clip((gap.mean() / ease - CLOSED) / (CLOSING - CLOSED), 0, 1)
        upper, _lower = np.array(pairs).T
        shape[upper, 1] += gap - share * np.maximum(gap, 0)
    return shape


def into_crop(landmarks: np.ndarray, crop: np.ndarray, side: int) -> np.ndarray:
    """(478, 3) frame pixels -> pixels of the crop; depth scales along."""
    linear, shift = side * crop[:, :2], side * crop[:, 2]
    scale = np.sqrt(np.linalg.det(linear))
    return np.column_stack([landmarks[:, :2] @ linear.T + shift, landmarks[:, 2] * scale])


def turned(shot: Shot, stage: Stage, row: int) -> np.ndarray:
    """(3,) radians by which the head of an output row is drawn."""
    seen = 1.0 if stage.response is None else stage.response.seen[2:]
    return stage.angles + SEEN / seen * (shot.motion.angles[row] - stage.angles)


def place_of(shot: Shot, stage: Stage, row: int) -> tuple[float, np.ndarray, np.ndarray]:
    """(scale, R, shift) of the head in crop pixels for an output row."""
    side = stage.plate.side
    at = into_crop(np.append(shot.motion.head_at[row], 0)[None], stage.crop, side)[0]
    scale = shot.motion.head_size[row] * side * np.sqrt(np.linalg.det(stage.crop[:, :2]))
    at[2] = stage.plate.place[2][2]
    return float(scale), rotation(turned(shot, stage, row)), at


def working_square(crop: np.ndarray, size: int | None) -> tuple[np.ndarray, int]:
    """The crop (2, 3) to work in, and its side in pixels: as given, or, where the result goes back into the frame, laid on
    the frame's own pixels, so that nothing is resampled but by the flow."""
    if size is not None:
        return crop, size
    side = max(64, round(1 / np.sqrt(np.linalg.det(crop[:, :2]))))
    if side > LARGEST_SIDE or abs(crop[0, 1]) > 1e-6:
        return crop, min(side, LARGEST_SIDE)
    corner = np.round(-crop[:, 2] * side)
    return np.column_stack([np.eye(2), -corner]) / side, side


def rim(side: int) -> np.ndarray:
    """(S, S) float32: 1 inside the square, 0 at its edge."""
    ramp = np.clip(np.minimum(np.arange(side), np.arange(side)[::-1]) / (PASTE_RIM * side), 0, 1).astype(np.float32)
    return cv2.min(np.broadcast_to(ramp, (side, side)).copy(), np.broadcast_to(ramp[:, None], (side, side)).copy())
