"""LPIPS: how different two pictures look to a network that people's judgement was fitted to."""

from __future__ import annotations

from .metric import Moment, Reading, Running, Setting, metric


class _Perceptual:
    """Mean distance that a judge tells."""

    def __init__(self, setting: Setting):
        self.distance = setting.judges.get(self.spec.judge)
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        return self.frames.add(self.distance(moment.generated.area, moment.reference.area))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec)]


@metric(
    "lpips-alex",
    better="lower",
    protocol="v0.1",
    says="Zhang et al. 2018, AlexNet with linear heads, pictures in [-1, 1] at their own size, mean over frames",
    judge="perceptual-alex",
)
class LpipsAlex(_Perceptual):
    """Mean LPIPS by AlexNet."""


@metric(
    "lpips-vgg",
    better="lower",
    protocol="v0.1",
    says="Zhang et al. 2018, VGG16 with linear heads, pictures in [-1, 1] at their own size, mean over frames",
    judge="perceptual-vgg",
)
class LpipsVgg(_Perceptual):
    """Mean LPIPS by VGG16."""
