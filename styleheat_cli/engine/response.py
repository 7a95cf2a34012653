"""Response: how far a photo's mouth is seen to part and to widen when its mesh does, and what makes up for it.

Lips that a photo shows apart look apart for longer than their mesh is, a moustache hides where a mouth ends: what is seen of a
movement differs from face to face. A few pictures of the performance tell by how much, once a photo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..face.morphable import Morphable, canonical, fit_frames, openings, rotation
from ..face.regions import MOUTH_CORNERS
from ..shot import Person
from .retarget import opening_rows, width_row

PROBES = 6  # pictures of a performance that are looked at
LEAST, MOST = 0.65, 1.15  # of what was asked, that is made up for
USUAL = np.array([1.0, 1.0])  # of gap and width, seen of what was asked, on a face of which nothing is known
DOUBT = 0.03  # head sizes of movement that weigh as much as what is usual
Look = Callable[[int], np.ndarray | None]


@dataclass(frozen=True)
class Response:
    """Gap of the lips and width of the mouth (2,) in head sizes: as the photo has them, and how much of a change is seen."""

    own: np.ndarray
    seen: np.ndarray


def measured(model: Morphable, person: Person, own: np.ndarray, gap: np.ndarray, ask: Look, look: Look) -> Response:
    """From some pictures of a performance.

    own (478, 3): the photo's landmarks, canonical; gap (T,): of the lips, roughly, in every output row; ask: an output row -> the
    canonical shape (478, 3) of its mesh; look: an output row -> landmarks (478, 3) in its picture, None where none are found.
    """
    start, wanted, seen = mouth(own), [], []
    for row in probes(gap):
        asked = mouth(ask(row)) - start
        points = look(row) if np.abs(asked).max() > DOUBT else None
        if points is not None:
            wanted.append(asked)
            seen.append(_unposed_mouth(model, person, points) - start)
    if not wanted:
        return Response(start, USUAL)
    doubt, wanted = len(wanted) * DOUBT**2, np.array(wanted)
    slope = ((wanted * seen).sum(0) + doubt * USUAL) / (np.square(wanted).sum(0) + doubt)
    return Response(start, np.clip(slope, LEAST, MOST))


def probes(gap: np.ndarray) -> np.ndarray:
    """Output rows that differ most in how far the lips are parted (T,)."""
    order = np.argsort(gap, kind="stable")
    return np.unique(order[np.linspace(0, len(order) - 1, min(PROBES, len(order))).round().astype(int)])


def made_up_for(response: Response, model: Morphable, shape: np.ndarray) -> np.ndarray:
    """A canonical shape (478, 3) whose mouth is seen to do what the given one asks; lips that meet still meet."""
    now = mouth(shape)
    better = response.own + (now - response.own) / response.seen
    better[0] = np.clip(better[0], 0, None) if now[0] > 0 else now[0]
    rows = np.vstack([opening_rows(model), width_row(model)])
    change = np.linalg.pinv(rows)[:, 2:] @ (better - now)
    return shape + np.tensordot(change, model.expression, axes=1)


def mouth(shape: np.ndarray) -> np.ndarray:
    """(..., 2) head sizes: gap of the lips and width of the mouth of canonical shapes (..., 478, 3)."""
    left, right = MOUTH_CORNERS
    return np.stack([openings(shape)[..., 2], shape[..., right, 0] - shape[..., left, 0]], -1)


def _unposed_mouth(model: Morphable, person: Person, points: np.ndarray) -> np.ndarray:
    fit = fit_frames(model, points[None], person.identity, person.own)
    return mouth(canonical(points[None], fit.scale, rotation(fit.angles), fit.shift)[0])
