"""What a metric is: fed with moments of a comparison, it gives readings that carry protocol, judge and sample count."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeVar

import cv2
import numpy as np

from .face_geometry import Pose, rigid_pose

Better = Literal["higher", "lower", "near 1", "near 0"]


@dataclass(frozen=True)
class Spec:
    """What a metric calls itself.

    `protocol` goes into the printed name, `says` is the sentence that explains it. `needs` names what it cannot be
    measured without: `reference`, `driving`, `source`, `audio`, `real` (source or reference); `faces` where it looks
    at landmarks, `pixels` where it looks at the region under comparison. `judge` is the role in the family `judges` of
    the network it asks; empty where it asks none. `pooled` metrics are fed all pairs of a set before they are read.
    """

    name: str
    better: Better
    unit: str
    protocol: str
    says: str
    needs: frozenset[str]
    judge: str = ""
    pooled: bool = False

    @property
    def printed(self) -> str:
        return f"{self.name}[{self.protocol}]" if self.protocol else self.name


@dataclass(frozen=True)
class Reading:
    """One number, or why there is none.

    `samples` counts what was averaged, in units of `of`. `real` is the same measure taken on the real clip,
    `spread` the standard deviation over pairs where several were averaged.
    """

    name: str
    value: float | None
    unit: str
    better: Better
    samples: int = 0
    of: str = "frames"
    why: str = ""
    real: float | None = None
    pairs: int = 1
    spread: float | None = None


@dataclass
class View:
    """One picture and what is known of it at this moment.

    image: (H, W, 3) uint8 RGB. area: the part that pixels are compared in, the whole picture unless told otherwise.
    face: (478, 3) float32 px of this picture, or nothing where no face was found. time: seconds. cut: the picture
    belongs to another shot than the one before. person: (H, W) uint8, 1 where a person is, once that was asked.
    """

    image: np.ndarray
    time: float = 0.0
    face: np.ndarray | None = None
    box: tuple[int, int, int, int] | None = None
    cut: bool = False
    person: np.ndarray | None = None

    @cached_property
    def area(self) -> np.ndarray:
        """(h, w, 3) uint8: the picture inside `box` (x0, y0, x1, y1)."""
        if self.box is None:
            return self.image
        x0, y0, x1, y1 = self.box
        return np.ascontiguousarray(self.image[y0:y1, x0:x1])

    @cached_property
    def luma(self) -> np.ndarray:
        """(h, w) float32 in 0..255: BT.601 luma of the area."""
        return luma(self.area)

    @cached_property
    def frame_luma(self) -> np.ndarray:
        """(H, W) float32 in 0..255: BT.601 luma of the whole picture."""
        return self.luma if self.box is None else luma(self.image)

    @cached_property
    def pose(self) -> Pose | None:
        """How the head stands, or nothing without a face."""
        return None if self.face is None else rigid_pose(self.face)


@dataclass
class Moment:
    """The pictures of one time. `reference` shows what the picture should be, `driving` how the face should move.

    `known` is what one metric found out about this moment and another may use.
    """

    generated: View
    reference: View | None = None
    driving: View | None = None
    source: View | None = None
    known: dict[str, Any] = field(default_factory=dict)


@dataclass
class Setting:
    """What a comparison has: frame rates (frames/s), sound and judges."""

    generated_fps: float = 0.0
    driving_fps: float = 0.0
    audio: Any = None
    judges: Any = None


class Metric(Protocol):
    """Fed with moments in the order of time, then read."""

    spec: Spec

    def __init__(self, setting: Setting): ...

    def update(self, moment: Moment) -> float | None:
        """Take one moment in; gives the moment's own value where it has one."""

    def readings(self) -> list[Reading]:
        """What was measured so far."""


CATALOGUE: dict[str, type] = {}
Made = TypeVar("Made", bound=type)


def metric(
    name: str,
    *,
    better: Better,
    unit: str = "",
    protocol: str = "",
    says: str = "",
    needs: str = "reference pixels",
    judge: str = "",
    pooled: bool = False,
) -> Callable[[Made], Made]:
    """Enter a class in the catalogue of metrics under its name. `needs` is a list of words."""

    def enter(cls: Made) -> Made:
        says_ = says or (cls.__doc__ or "").split("\n")[0]
        cls.spec = Spec(name, better, unit, protocol, says_, frozenset(needs.split()), judge, pooled)
        CATALOGUE[name] = cls
        return cls

    return enter


@dataclass
class Running:
    """A mean that needs no memory: of values, and of the same measure on the real clip where there is one."""

    total: float = 0.0
    real_total: float = 0.0
    count: int = 0
    real_count: int = field(default=0)

    def add(self, value: float | None, real: float | None = None) -> float | None:
        """Take a value in and give it back; nothing is counted for a missing one."""
        if value is not None and math.isfinite(value):
            self.total += value
            self.count += 1
        if real is not None and math.isfinite(real):
            self.real_total += real
            self.real_count += 1
        return value

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    @property
    def real_mean(self) -> float | None:
        return self.real_total / self.real_count if self.real_count else None

    def reading(self, spec: Spec, nothing: str = "no frame could be compared") -> Reading:
        """The mean as a reading of that metric."""
        why = "" if self.count else nothing
        return replace(blank(spec, why), value=self.mean, samples=self.count, real=self.real_mean)


def blank(spec: Spec, why: str, name: str = "") -> Reading:
    """A reading that says why there is no value."""
    return Reading(name or spec.printed, None, spec.unit, spec.better, why=why)


def luma(image: np.ndarray) -> np.ndarray:
    """(H, W) float32 in 0..255: BT.601 luma of (H, W, 3) uint8 RGB."""
    return cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY)
