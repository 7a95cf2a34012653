"""Inversion: a picture to codes and a feature that give it back.

Sources: e4e (Tov et al. 2021) for the codes, HFGI (Wang et al. 2022) for what they lose; the optimised f of
StyleHEAT's supplement, section "GAN inversion", with the prior of Zhu et al. 2020.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..checkpoints.load import load_network
from ..checkpoints.manifest import Family
from ..errors import InputError
from ..media.output import part_of
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
    """The networks that invert; those that a task does not ask may be absent."""

    encoder: Encoder4Editing | None
    average: AverageCode | None
    generator: Generator
    aligner: Aligner | None
    consultation: ConsultationEncoder | None

    @classmethod
    def of(
        cls, family: Family, generator: Generator, device: torch.device | str = "cpu", encoders: bool = True
    ) -> Inverter:
        """The networks with a family's weights, round a generator that is loaded already.

        Without `encoders` they cannot invert, only bring a residual back into an edited picture.
        """

        def load(role: str) -> nn.Module:
            return load_network(family.component(role), device)

        encoder, average = map(load, ("encoder", "average_code")) if encoders else (None, None)
        return cls(encoder, average, generator, *map(load, ("aligner", "refiner")))


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
    condition: scale and shift that gave f, or nothing where f was optimised; residual: (N, 3, 256, 256), what the codes
    alone lack of the picture, where it is known. The embedded family's are of its own shapes.
    """

    image: Tensor
    codes: Tensor
    f: Tensor
    condition: tuple[Tensor, Tensor] | None = None
    residual: Tensor | None = None

    def to(self, device: torch.device | str) -> Inversion:
        """The same on a device."""
        condition = None if self.condition is None else tuple(part.to(device) for part in self.condition)
        residual = None if self.residual is None else self.residual.to(device)
        return Inversion(self.image.to(device), self.codes.to(device), self.f.to(device), condition, residual)


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
    return Inversion(resize(made.image.clamp(-1, 1), size), encoding.codes, made.f, condition, encoding.residual)


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
    start: Inversion | None = None,
) -> Inversion:
    """Codes (from row 9) and f fitted to a picture, from the encoders' guess on.

    The picture returned is that of the last step before its update, and so are the codes; f is the updated one. So
    the official release does; the difference is one step of Adam.

    Args:
        image: (1, 3, H, W) in [-1, 1].
        on_step: told of every step; a true answer ends the optimisation there.
        start: the encoders' guess, where it is known; the networks may then be without encoders.
    """
    size = networks.generator.size
    whole = resize(image, size)
    with torch.no_grad():
        start = start or invert(networks, resize(whole, SIDE))
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


class Patience:
    """Ends an optimisation whose loss has not fallen by a share of itself for some steps; see `optimise`'s `on_step`."""

    def __init__(self, steps: int = 20, share: float = 0.002):
        self.steps, self.share = steps, share
        self._best, self._since = float("inf"), 0

    def __call__(self, step: Step) -> bool:
        total = float(step.losses[0])
        better = total < self._best * (1 - self.share)
        self._best, self._since = (total, 0) if better else (self._best, self._since + 1)
        return self._since >= self.steps


FORMAT, VERSION = "styleheat-inversion", "1"


def write_inversion(path: Path, inversion: Inversion, notes: Mapping[str, str] | None = None) -> None:
    """Save an inversion of one picture; `notes` (source digest, method, steps, family) travel in the header."""
    tensors = {"image": inversion.image, "codes": inversion.codes, "f": inversion.f}
    if inversion.condition is not None:
        tensors |= {"scale": inversion.condition[0], "shift": inversion.condition[1]}
    if inversion.residual is not None:
        tensors["residual"] = inversion.residual
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    content = save(tensors, {"format": FORMAT, "version": VERSION, **(notes or {})})
    with part_of(path) as part:
        part.write_bytes(content)


def read_inversion(path: Path) -> tuple[Inversion, dict[str, str]]:
    """An inversion and its notes.

    Raises:
        InputError: the file is something else, or holds numbers that are not finite.
    """
    hint = f"make it anew with: styleheat invert PHOTO -o {path.name}"
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path.name} cannot be read as an inversion: {error}", hint=hint) from None
    if notes.get("format") != FORMAT or notes.get("version") != VERSION or not {"image", "codes", "f"} <= set(tensors):
        raise InputError(f"{path.name} is not an inversion of this version", hint=hint)
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise InputError(f"{path.name} holds numbers that are not finite", hint=hint)
    condition = (tensors["scale"], tensors["shift"]) if {"scale", "shift"} <= set(tensors) else None
    return Inversion(tensors["image"], tensors["codes"], tensors["f"], condition, tensors.get("residual")), notes


def cache_key(picture: bytes, family: str, method: str, steps: int) -> str:
    """The name under which an inversion is kept: it changes with the picture, the weights and how it was made."""
    return hashlib.sha256(b"\0".join([picture, family.encode(), method.encode(), str(steps).encode()])).hexdigest()
