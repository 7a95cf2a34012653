"""Who is in a clip, and when: what `styleheat faces` lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from ..progress import Progress, counted, silent
from ..shot import Frame
from .align import crop_image, square, transform
from .appearance import OTHER, SAME, VIEWS, Person, Picture, describe
from .landmarks import Landmarker, box, overlap

THUMBNAIL = 128
MOST_THUMBNAILS = 8


@dataclass(eq=False)
class Appearance:
    """One person in a clip.

    id: from 1; the faces of the first frame with any have their number from the left, the number that `--face` takes;
        whoever comes later is numbered in order of coming.
    times: seconds at which the person was seen; boxes: (4,) float32 px for each, x0 y0 x1 y1.
    thumbnails: (128, 128, 3) uint8, at most eight, spread over the times in `thumbnail_times`.
    """

    id: int
    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    thumbnails: list[np.ndarray] = field(default_factory=list)
    thumbnail_times: list[float] = field(default_factory=list)
    person: Person = field(default_factory=Person, repr=False)
    stride: int = field(default=1, repr=False)

    def add(self, frame: Frame, points: np.ndarray, look: np.ndarray) -> None:
        if len(self.times) % self.stride == 0:
            self.thumbnails.append(crop_image(frame.image, transform(square(points)), THUMBNAIL))
            self.thumbnail_times.append(float(frame.time))
        self.times.append(float(frame.time))
        self.boxes.append(box(points))
        self.person.remember(look)
        self._thin_out()

    def join(self, other: Appearance) -> None:
        """Takes in what was seen of the same person under another number."""
        self.times, self.boxes = _in_order(self.times + other.times, self.boxes + other.boxes)
        self.thumbnail_times, self.thumbnails = _in_order(
            self.thumbnail_times + other.thumbnail_times, self.thumbnails + other.thumbnails)  # fmt: skip
        self.stride = max(self.stride, other.stride)
        self._thin_out()
        self.person.views = (self.person.views + other.person.views)[:VIEWS]

    def _thin_out(self) -> None:
        while len(self.thumbnails) > MOST_THUMBNAILS:
            self.thumbnails, self.thumbnail_times = self.thumbnails[::2], self.thumbnail_times[::2]
            self.stride *= 2


def _in_order(times: list[float], things: list[np.ndarray]) -> tuple[list[float], list[np.ndarray]]:
    """Both, sorted by time."""
    order = np.argsort(times, kind="stable")
    return [times[i] for i in order], [things[i] for i in order]


def find_faces(frames: Iterable[Frame], every_s: float = 0.5, *, total: int = 0,
               progress: Progress = silent) -> list[Appearance]:
    """Everybody whose face is seen, by number; empty where there is no face.

    Every frame is looked at until the first face, then one every `every_s` seconds.
    """
    people: list[Appearance] = []
    picture, due, cut = Picture(), -np.inf, False
    with Landmarker() as landmarker:
        for frame in counted(frames, "faces", total, progress):
            cut |= picture.suspect(frame.image)
            if people and float(frame.time) < due - 1e-6:
                continue
            thorough = float(frame.time) >= due - 1e-6
            due = float(frame.time) + every_s if thorough else due
            _assign(people, frame, landmarker.find(frame.image, thorough=thorough), cut)
            people = [replace(who, id=number) for number, who in enumerate(people, 1)]
            cut = False
    return people


def _assign(people: list[Appearance], frame: Frame, found: list[np.ndarray], cut: bool) -> None:
    """Give each face found, likeliest pair first, to a person known or to a new one."""
    looks = [describe(frame.image, points) for points in found]
    pairs = sorted((_unlikeness(who, look, box(points), cut), f, p)
                   for f, (points, look) in enumerate(zip(found, looks, strict=True)) for p, who in enumerate(people))
    owner: dict[int, int] = {}
    for unlike, f, p in pairs:
        if unlike < SAME and f not in owner and p not in owner.values():
            owner[f] = p
    for f, points in enumerate(found):
        if f not in owner:
            people.append(Appearance(len(people) + 1))
            owner[f] = len(people) - 1
        people[owner[f]].add(frame, points, looks[f])
    for who, look in [(people[p], looks[f]) for f, p in owner.items()]:
        _unite(people, who, look)


def _unite(people: list[Appearance], who: Appearance, look: np.ndarray) -> None:
    """Who was counted twice (turned away, they looked like somebody else) is one person once a look lies between the two."""
    apart = (other for other in people if other is not who and not set(other.times) & set(who.times))
    twin = next((other for other in apart if other.person.distance(look) < SAME), None)
    if twin:
        first, second = sorted((who, twin), key=lambda one: one.id)
        first.join(second)
        people.remove(second)


def _unlikeness(who: Appearance, look: np.ndarray, where: np.ndarray, cut: bool) -> float:
    """Distance of the looks, less where the face stands where the person stood in this shot."""
    near = 0.0 if cut else overlap(where, who.boxes[-1])
    return who.person.distance(look) - (OTHER - SAME) * (near > 0.3) - 0.05 * near
