"""Calibration: from the warped f of one frame to the mouth or an eye of another frame of the same person.

Source: StyleHEAT's calibration training (Yin et al. 2022, section 3.3): same-person pairs, losses weighted to eyes and mouth
(their equations 6 and 7), a perceptual and an adversarial loss. Here on windows round them, so that a CPU can do it, at many scales;
what judges perception is the encoder as it was before this training.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..engine.heal import CELLS, drawn_openings, guides
from ..networks.codec import STRIDE, Encoder, Generator
from ..networks.healer import Healer
from . import samples
from .codec import edges, relit
from .loop import Losses, half
from .openings import Openings, drawn_lids

SURROUND = 0.15  # weight of what lies round a mouth or an eye against it
AT_SIZE, LEAST_CELLS = 0.5, 12  # share of the steps that see windows at the size of rendering; cells of the smallest ones that others see
CRITIC_FROM = 0.35  # share of the training after which the critic has a say
CRITIC_WEIGHT = 0.02
PERCEPTUAL_WEIGHT = 0.1


class Critic(nn.Module):
    """A patch critic on a window (N, 3, H, W) and the mask of what was made (N, 1, H, W)."""

    def __init__(self, width: int = 32):
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((4, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.InstanceNorm2d(outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 3, padding=1))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return self.layers(torch.cat([image, mask], 1))


class CalibrationJob:
    """One step: a batch of mouths and eyes, healed, laid into the warped picture, judged."""

    def __init__(
        self, encoder: Encoder, generator: Generator, healer: Healer, openings: Openings, batch: int, seed: int,
        critic: Critic, critic_optimiser: torch.optim.Optimizer,
    ):  # fmt: skip
        self.encoder, self.generator, self.healer = encoder, generator, healer
        self.openings, self.batch, self.seed = openings, batch, seed
        self.critic, self.critic_optimiser = critic, critic_optimiser
        self.judge = deepcopy(encoder).requires_grad_(False)

    def __call__(self, step: int, share: float) -> Losses:
        random = np.random.default_rng([self.seed, step])
        batch = self.draw(np.sort(random.choice(len(self.openings.source), self.batch, replace=False)), random)
        with half(batch["source"].device):
            made, warped, mask, back = self.heal(batch)
            real, weight = batch["target"], SURROUND + 2 * mask
            seen = perceptual(self.judge, made, real, weight)
        laid, true = _laid(warped, made, mask), _laid(warped, real, mask)
        losses = {
            "openings": ((made - real).abs() * weight).mean() / weight.mean(),
            "edges": edges(made, real, weight, scales=3),
            "perceptual": PERCEPTUAL_WEIGHT * seen,
            "reconstruction": 0.5 * (back - batch["source"]).abs().mean(),
        }
        if share > CRITIC_FROM:
            self._teach_critic(true, laid.detach(), mask)
            losses["critic"] = -CRITIC_WEIGHT * self.critic(laid, mask).mean()
        return {**losses, "total": sum(losses.values())}

    @torch.no_grad()
    def samples(self) -> np.ndarray:
        """The sheet of some pairs spread over all: what was there, what the flow makes of it, healed, and what it should be."""
        count = len(self.openings.source)
        batch = self.draw(np.unique(np.linspace(0, count - 1, min(samples.COUNT, count)).round().astype(int)))
        made, warped, mask, _ = self.heal(batch)
        return samples.pictures(source=batch["source"], warped=warped, healed=_laid(warped, made, mask), target=batch["target"])

    def draw(self, rows: np.ndarray, random: np.random.Generator | None = None) -> dict[str, Tensor]:
        """Some pairs as tensors; with a generator, under a random light, and half of the time smaller."""
        device, chosen = next(self.encoder.parameters()).device, self.openings
        cells = CELLS if random is None or random.random() < AT_SIZE else int(random.integers(LEAST_CELLS, CELLS))
        side, scale = cells * STRIDE, cells / CELLS
        pair = torch.from_numpy(np.concatenate([chosen.source[rows], chosen.target[rows]])).permute(0, 3, 1, 2).float() / 127.5 - 1
        if random is not None:
            state = random.bit_generator.state
            first = relit(pair[: len(rows)], random)
            random.bit_generator.state = state
            pair = torch.cat([first, relit(pair[len(rows) :], random)])
        if scale < 1:
            pair = F.interpolate(pair, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        outline, iris = chosen.target_outline[rows], chosen.target_iris[rows]
        opens = drawn_openings(np.concatenate([chosen.source_outline[rows], outline]), np.concatenate([chosen.source_iris[rows], iris]), side)
        source_opening, opening = torch.from_numpy(np.stack(opens, 1)).chunk(2)
        made = {
            "source": pair[: len(rows)], "target": pair[len(rows) :], "source_opening": source_opening, "opening": opening,
            "lids": torch.from_numpy(drawn_lids(outline, iris, side))[:, None],
            "flow": scale * torch.from_numpy(chosen.flow[rows].astype(np.float32)).permute(0, 3, 1, 2),
            "motion": torch.from_numpy(chosen.motion[rows].copy()),
        }  # fmt: skip
        return {name: tensor.to(device) for name, tensor in made.items()}

    def heal(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The healed window, the plainly warped one, the soft mask of mouth or eye, and the source given back: (N, 3 or 1, S, S)."""
        side = batch["source"].shape[-1]
        coarse = F.adaptive_avg_pool2d(batch["flow"], side // STRIDE).permute(0, 2, 3, 1)
        fine = F.interpolate(batch["flow"], size=(side, side), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        warped = _sampled(batch["source"], fine, side)
        f, w = self.encoder(batch["source"].contiguous(memory_format=torch.channels_last))
        before = _sampled(F.avg_pool2d(batch["source_opening"], STRIDE), coarse, side, "zeros")
        hints = guides(F.avg_pool2d(batch["opening"], STRIDE), before, coarse)
        healed = self.healer(_sampled(f.float(), coarse, side), hints, batch["motion"])
        made, back = self.generator(torch.cat([healed.to(f), f]), torch.cat([w, w])).float().chunk(2)
        return made, warped, soft(torch.maximum(batch["opening"][:, :1], batch["lids"])), back

    def _teach_critic(self, true: Tensor, laid: Tensor, mask: Tensor) -> None:
        loss = F.relu(1 - self.critic(true, mask)).mean() + F.relu(1 + self.critic(laid, mask)).mean()
        self.critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.critic_optimiser.step()


def perceptual(judge: Encoder, made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """How differently a judge sees two pictures, its features at unit length in every cell (Zhang et al. 2018, eq. 1), levels summed."""
    total = made.new_zeros(())
    for ours, theirs in zip(judge.levels(made), judge.levels(real), strict=True):
        here = F.adaptive_avg_pool2d(weight, ours.shape[2:])
        away = F.normalize(ours.float(), dim=1) - F.normalize(theirs.float(), dim=1)
        total = total + (away.square().sum(1, keepdim=True) * here).mean() / here.mean()
    return total


def _laid(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    return below + (above - below) * mask


def _sampled(x: Tensor, at: Tensor, side: int, beyond: str = "border") -> Tensor:
    """x (N, C, H, W) at `at` (N, h, w, 2), pixels of a window of that side."""
    return F.grid_sample(x, at / (side / 2) - 1, padding_mode=beyond, align_corners=False)


def soft(mask: Tensor) -> Tensor:
    """A mask (N, 1, H, W) grown by a few pixels, with a soft edge."""
    return F.avg_pool2d(F.max_pool2d(mask, 9, 1, 4), 7, 1, 3)
