"""A component as a network: built without memory, given its checked tensors, brought to a device."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import CheckpointError
from ..networks.published import ARCHITECTURES, blueprint
from .manifest import Component


def load_network(component: Component, device: torch.device | str = "cpu") -> nn.Module:
    """The component's network in evaluation mode, without gradients.

    Raises:
        CheckpointError: the file is missing, damaged, or does not fit the architecture that the manifest names.
    """
    if component.architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"the manifest of {component.family} gives {component.role} an architecture that nobody knows: "
            f"{component.architecture}",
            hint="known: " + ", ".join(sorted(ARCHITECTURES)),
        )
    network = blueprint(component.architecture, component.config)
    try:
        network.load_state_dict(component.state_dict(), strict=True, assign=True)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1].strip()
        raise CheckpointError(
            f"{component.file} does not fit {component.role}: {first}", hint=component.remedy()
        ) from None
    return network.requires_grad_(False).to(device)
