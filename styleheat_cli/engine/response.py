"""Response: how far a photo's head and mouth are seen to move when its mesh does, and what makes up for it.

Lips that a photo shows apart look apart for longer than their mesh is, a moustache hides where a mouth ends, a warped face keeps
the light and the foreshortening of its own pitch: what is seen of a movement differs from face to face. A few pictures of the
performance tell by how much, once a photo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..face.axes import NAMES, directions
from ..face.morphable import Morphable, canonical, fit_frames, openings, rotation
from ..face.regions import MOUTH_CORNERS
from ..shot import Person

PROBES = 6  # pictures of a performance that are looked at for how far the lips are parted, besides those that nod most
USUAL = np.array([1.0, 0.87, 1.0, 1.0, 1.0])  # seen of a change on a usual face: cheeks that only stretch hide a part of a mouth's width
DOUBT = np.array([0.06, 0.06, 0.035, 0.035, 0.035])  # movement that weighs as much as what is usual: head sizes, radians
MEET = 0.06  # head sizes between lips that meet: trackers see that much where there is nothing, which tells of no movement
LEAST, MOST = np.array([0.65, 0.65, 0.75, 0.75, 0.75]), np.array([1.15, 1.15, 1.3, 1.3, 1.3])  # that is made up for
MOUTH = ("lips_apart", "mouth_width")
Look = Callable[[int], np.ndarray | None]


@dataclass(frozen=True)
class Response:
    """Five numbers each: gap of the lips, width of the mouth (head sizes), pitch, yaw and roll (radians) as the photo has them,
    and how much of a change of them is seen."""

    own: np.ndarray
    seen: np.ndarray


def measured(model: Morphable, person: Person, own: np.ndarray, gap: np.ndarray, pitch: np.ndarray, ask: Look, look: Look) -> Response:
    """From some pictures of a performance.

    own (5,): the photo's numbers; gap (T,), pitch (T,): in every output row, roughly; ask: an output row -> the numbers (5,) of its
    mesh; look: an output row -> landmarks (478, 3) in its picture, None where none are found.
    """
    wanted, seen = [], []
    for row in probes(gap, pitch):
        asked = ask(row) - own
        points = look(row) if (np.abs(asked) > DOUBT).any() else None
        if points is not None:
            wanted.append(asked)
            seen.append(read(model, person, points) - own)
    if not wanted:
        return Response(own, USUAL)
    wanted = np.array(wanted)
    told = np.ones_like(wanted, bool)
    told[:, 0] = own[0] + wanted[:, 0] > MEET
    wanted, doubt = told * wanted, told.sum(0).clip(1) * DOUBT**2
    slope = ((wanted * seen).sum(0) + doubt * USUAL) / (np.square(wanted).sum(0) + doubt)
    return Response(own, np.clip(slope, LEAST, MOST))


def probes(gap: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Output rows that differ most in how far the lips are parted (T,), and those that look up and down most (T,)."""
    order = np.argsort(gap, kind="stable")
    some = order[np.linspace(0, len(order) - 1, min(PROBES, len(order))).round().astype(int)]
    return np.unique([*some, pitch.argmin(), pitch.argmax()])


def mouth_moves(model: Morphable) -> np.ndarray:
    """(2, 64): the expressions that part the lips, or widen the mouth, by a head size, and do nothing else."""
    return directions(model)[[NAMES.index(name) for name in MOUTH]]


def made_up_for(response: Response, model: Morphable, moves: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """A canonical shape (478, 3) whose mouth is seen to do what the given one asks; lips that meet still meet.

    moves: `mouth_moves` of the model.
    """
    now, own = mouth(shape), response.own[:2]
    better = own + (now - own) / response.seen[:2]
    better[0] = np.clip(better[0], 0, None) if now[0] > 0 else now[0]
    return shape + np.tensordot((better - now) @ moves, model.expression, axes=1)


def mouth(shape: np.ndarray) -> np.ndarray:
    """(..., 2) head sizes: gap of the lips and width of the mouth of canonical shapes (..., 478, 3)."""
    left, right = MOUTH_CORNERS
    return np.stack([openings(shape)[..., 2], shape[..., right, 0] - shape[..., left, 0]], -1)


def read(model: Morphable, person: Person, points: np.ndarray) -> np.ndarray:
    """(5,) the numbers of landmarks (478, 3) in pixels."""
    fit = fit_frames(model, points[None], person.identity, person.own)
    return np.append(mouth(canonical(points[None], fit.scale, rotation(fit.angles), fit.shift)[0]), fit.angles[0])
