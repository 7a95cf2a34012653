"""The published architectures by the names that manifests use; a name, never an import path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from .calibration import CalibrationNet
from .directions import AverageCode, CodePrior, Directions, PrincipalComponents, StandardFace
from .discriminator import Discriminator
from .e4e import Encoder4Editing
from .hfgi import Aligner, ConsultationEncoder
from .identity import IdentityNet
from .judges import InceptionFeatures, PerceptualFeatures, PerceptualHeads, SyncNet
from .recon import ReconNet
from .stylegan2 import Generator
from .vgg import VGGFeatures
from .warper import AudioWarper, VideoWarper

ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = {
    "stylegan2": Generator,
    "stylegan2-discriminator": Discriminator,
    "e4e": Encoder4Editing,
    "average-code": AverageCode,
    "hfgi-aligner": Aligner,
    "hfgi-encoder": ConsultationEncoder,
    "video-warper": VideoWarper,
    "audio-warper": AudioWarper,
    "calibration": CalibrationNet,
    "deep3d": ReconNet,
    "ir-se50": IdentityNet,
    "vgg19": VGGFeatures,
    "directions": Directions,
    "principal-components": PrincipalComponents,
    "code-prior": CodePrior,
    "standard-face": StandardFace,
    "inception-features": InceptionFeatures,
    "lpips-features": PerceptualFeatures,
    "lpips-heads": PerceptualHeads,
    "syncnet": SyncNet,
}


def blueprint(architecture: str, config: Mapping[str, Any] | None = None) -> nn.Module:
    """The architecture in evaluation mode, without memory for its tensors (on the meta device).

    Give it tensors with `load_state_dict(…, assign=True)`; or read keys and shapes off it.
    """
    with torch.device("meta"):
        return ARCHITECTURES[architecture](**(config or {})).eval().requires_grad_(False)
