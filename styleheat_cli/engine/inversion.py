"""Inversion: a picture to codes and a feature that give it back.

Sources: e4e (Tov et al. 2021) for the codes, HFGI (Wang et al. 2022) for what they lose; the optimised f of
StyleHEAT's supplement, section "GAN inversion", with the prior of Zhu et al. 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..networks.directions import AverageCode, CodePrior
from ..networks.e4e import Encoder4Editing
from ..networks.hfgi import Aligner, ConsultationEncoder
from ..networks.layers import resize
from ..networks.stylegan2 import Conditions, Generator
from ..networks.vgg import VGGFeatures, gram, standardised

SIDE = 256
"""Side of the pictures that the encoders and the warpers see."""
FIRST_FREE_ROW = 9
"""Rows of the code from here on are optimised; those before shape what lies below f."""


@dataclass(frozen=True)
class Inverter:
    """The networks that invert."""

    encoder: Encoder4Editing
    average: AverageCode
    generator: Generator
    aligner: Aligner
    consultation: ConsultationEncoder


@dataclass(frozen=True)
class Encoding:
    """(N, 18, 512) codes, the (N, 3, 256, 256) picture that they give, and what it lacks of the original."""

    codes: Tensor
    image: Tensor
    residual: Tensor


@dataclass(frozen=True)
class Inversion:
    """A picture as the generator holds it.

    image: (N, 3, S, S) reconstruction in [-1, 1]; codes: (N, 18, 512); f: (N, 512, 64, 64), condition applied;
    condition: scale and shift that gave f, or nothing where f was optimised.
    """

    image: Tensor
    codes: Tensor
    f: Tensor
    condition: tuple[Tensor, Tensor] | None = None


def encode(networks: Inverter, image: Tensor) -> Encoding:
    """(N, 3, H, W) in [-1, 1] -> its codes and what they lose."""
    small = resize(image, SIDE)
    codes = networks.average(networks.encoder(small))
    given_back = resize(networks.generator(codes).image.clamp(-1, 1), SIDE)
    return Encoding(codes, given_back, small - given_back)


def decode(networks: Inverter, encoding: Encoding, size: int = SIDE) -> Inversion:
    """The encoding with its residual brought back through the feature f."""
    condition = networks.consultation(networks.aligner(encoding.residual, encoding.image))
    made = networks.generator(encoding.codes, Conditions(inversion=condition))
    return Inversion(resize(made.image.clamp(-1, 1), size), encoding.codes, made.f, condition)


def invert(networks: Inverter, image: Tensor) -> Inversion:
    """(N, 3, H, W) in [-1, 1] -> its inversion by encoders alone; the image has 256 px."""
    return decode(networks, encode(networks, image))


def edited(networks: Inverter, encoding: Encoding, codes: Tensor, size: int = SIDE) -> Inversion:
    """The inversion with other codes; the original residual is aligned to the edited picture."""
    image = resize(networks.generator(codes).image.clamp(-1, 1), SIDE)
    return decode(networks, replace(encoding, codes=codes, image=image), size)


@dataclass(frozen=True)
class Losses:
    """The terms of the optimising inversion, weights included."""

    pixels: Tensor
    perceptual: Tensor
    prior: Tensor
    feature: Tensor

    @property
    def total(self) -> Tensor:
        return self.pixels + self.perceptual + self.prior + self.feature

    def numbers(self) -> Tensor:
        """(5,): the total, then each term."""
        return torch.stack([self.total, self.pixels, self.perceptual, self.prior, self.feature]).detach()


PERCEPTUAL_SCALES = 4
STYLE_WEIGHT = 250.0
PRIOR_WEIGHT = 1e-3
FEATURE_WEIGHT = 0.1


@dataclass(frozen=True)
class Target:
    """A picture with all that the losses compare with, computed once: the features of each scale."""

    image: Tensor
    features: tuple[dict[str, Tensor], ...]


def target_of(vgg: VGGFeatures, image: Tensor) -> Target:
    """(N, 3, S, S) -> the target that reconstructions are held to."""
    with torch.no_grad():
        return Target(image, tuple(vgg(scale) for scale in _scales(image)))


def losses(vgg: VGGFeatures, prior: CodePrior, fake: Tensor, target: Target, codes: Tensor, drift: Tensor) -> Losses:
    """How far a reconstruction is from its picture, its codes from likely ones, its f from the first (`drift`)."""
    return Losses(
        (fake - target.image).square().mean(),
        perceptual_distance(vgg, fake, target),
        PRIOR_WEIGHT * prior(codes),
        FEATURE_WEIGHT * drift.square().mean(),
    )


def perceptual_distance(vgg: VGGFeatures, fake: Tensor, target: Target) -> Tensor:
    """Mean absolute differences of features over layers and four scales, plus weighted ones of Gram matrices."""
    distance = fake.new_zeros(())
    for step, (scale, wanted) in enumerate(zip(_scales(fake), target.features, strict=True)):
        found = vgg(scale)
        for name, feature in found.items():
            distance = distance + (feature - wanted[name]).abs().mean()
            if step == 0:
                distance = distance + STYLE_WEIGHT * (gram(feature) - gram(wanted[name])).abs().mean()
    return distance


def _scales(image: Tensor) -> Iterator[Tensor]:
    """What VGG sees of a picture, largest first."""
    image = standardised(image)
    for step in range(PERCEPTUAL_SCALES):
        image = resize(image, SIDE) if step == 0 else resize(image, image.shape[-1] // 2)
        yield image


@dataclass(frozen=True)
class Step:
    """One step of the optimisation: its losses, the picture and the codes before its update, f after it."""

    number: int
    losses: Tensor
    image: Tensor
    codes: Tensor
    f: Tensor


def optimise(
    networks: Inverter,
    vgg: VGGFeatures,
    prior: CodePrior,
    image: Tensor,
    steps: int = 250,
    rate: float = 0.01,
    on_step: Callable[[Step], bool | None] | None = None,
) -> Inversion:
    """Codes (from row 9) and f fitted to a picture, from the encoders' guess on.

    The picture returned is that of the last step before its update, and so are the codes; f is the updated one. So
    the official release does; the difference is one step of Adam.

    Args:
        image: (1, 3, H, W) in [-1, 1].
        on_step: told of every step; a true answer ends the optimisation there.
    """
    size = networks.generator.size
    whole = resize(image, size)
    with torch.no_grad():
        start = invert(networks, resize(whole, SIDE))
        skip = networks.generator.skip(start.codes)  # depends on the fixed rows alone
    target, fixed = target_of(vgg, whole), start.codes[:, :FIRST_FREE_ROW]
    free = start.codes[:, FIRST_FREE_ROW:].clone().requires_grad_()
    f = start.f.clone().requires_grad_()
    optimiser = torch.optim.Adam([free, f], lr=rate)
    for number in range(1, steps + 1):
        codes = torch.cat([fixed, free], 1)
        fake = networks.generator.enter(f, codes, skip)
        terms = losses(vgg, prior, fake, target, codes, f - start.f)
        optimiser.zero_grad(set_to_none=True)
        terms.total.backward()
        optimiser.step()
        step = Step(number, terms.numbers(), fake.detach(), codes.detach(), f.detach())
        if on_step is not None and on_step(step):
            break
    return Inversion(resize(step.image, SIDE), step.codes, step.f.clone())


def frozen(*modules: nn.Module) -> None:
    """Evaluation mode, no gradients for weights: only codes and features are fitted."""
    for module in modules:
        module.eval().requires_grad_(False)
