"""The published family with the weights of the rule: every network, built when it is first asked for."""

from __future__ import annotations

import gc
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from styleheat_cli.checkpoints import load_family
from styleheat_cli.checkpoints.convert import component_state, flatten
from styleheat_cli.engine.inversion import Inverter
from styleheat_cli.engine.published import Method
from styleheat_cli.networks.published import blueprint

from .rule import Inputs, published

MANIFESTS = {
    "generator": "stylegan2",
    "encoder": "e4e",
    "refiner": "hfgi",
    "motion": "styleheat",
    "speech": "audio_warper",
    "components": "ganspace",
    "prior": "ffhq_PCA",
    "perceptual": "vgg19",
    "critic": "discriminator",
    "identity": "irse50",
    "recon": "deep3d",
    "standard_face": "bfm_lm3d",
}
"""Source of the family -> manifest of the fixtures; `directions` is made of two."""


class Fixture:
    """Networks by role, inputs by name; `release` forgets what is heavy."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.seed = folder, seed
        self.inputs = Inputs(seed)
        self.family = load_family("styleheat")
        self._networks: dict[str, nn.Module] = {}
        self._results: dict[str, Any] = {}

    def published(self, manifest: str) -> Any:
        """What the published file of a manifest holds."""
        content = json.loads((self.folder / "manifests" / f"{manifest}.json").read_text("utf-8"))
        return published(content, self.seed)

    def source(self, source: str) -> dict[str, Tensor]:
        """The flat tensors of one of the family's sources."""
        if source == "directions":
            content = {name: self.published(f"interfacegan_{name}") for name in ("age", "pose")}
        elif source == "standard_face":
            content = {"similarity_Lm3D_all": self.published(MANIFESTS[source])}
        else:
            content = self.published(MANIFESTS[source])
        return dict(flatten(content))

    def network(self, role: str) -> Any:
        """The network that fills a role."""
        if role not in self._networks:
            component = self.family.component(role)
            siblings = [c for c in self.family.components.values() if c.source == component.source]
            tensors = self.source(component.source)
            for sibling in siblings:
                module = blueprint(sibling.architecture, sibling.config)
                module.load_state_dict(component_state(sibling, tensors), strict=True, assign=True)
                self._networks[sibling.role] = module.requires_grad_(False)
        return self._networks[role]

    def once(self, name: str, make: Any) -> Any:
        """A result that several groups share."""
        if name not in self._results:
            self._results[name] = make()
        return self._results[name]

    def release(self, *roles: str) -> None:
        """Forget networks that no later group needs."""
        for role in roles:
            self._networks.pop(role, None)
        gc.collect()

    @property
    def inverter(self) -> Inverter:
        return Inverter(*(self.network(r) for r in ("encoder", "average_code", "generator", "aligner", "refiner")))

    @property
    def method(self) -> Method:
        return Method(*(self.network(r) for r in ("generator", "motion", "calibration", "speech")))

    def normal(self, name: str, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> Tensor:
        return torch.from_numpy(self.inputs.normal(name, shape, mean, std))

    def image(self, name: str, batch: int, size: int) -> Tensor:
        return torch.from_numpy(self.inputs.image(name, batch, size))

    def flow(self, name: str, batch: int, size: int) -> Tensor:
        return torch.from_numpy(self.inputs.flow(name, batch, size))

    @cached_property
    def picture(self) -> Tensor:
        """(2, 3, 256, 256): the picture most groups start from."""
        return self.image("image256", 2, 256)

    @cached_property
    def codes(self) -> Tensor:
        """(2, 18, 512)."""
        return self.normal("wplus", (2, 18, 512), 0, 0.8)

    @cached_property
    def replacing(self) -> Tensor:
        """(2, 512, 64, 64): the feature that replaces f."""
        return self.normal("f_condition", (2, 512, 64, 64))

    @cached_property
    def windows(self) -> Tensor:
        """(2, 73, 27)."""
        return self.normal("coeff_window", (2, 73, 27), 0, 0.6)

    @cached_property
    def mel(self) -> Tensor:
        """(2, 80, 32)."""
        return self.normal("mel_window", (2, 80, 32))
