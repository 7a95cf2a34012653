"""IR-SE50: a face to 512 numbers that tell who it is.

Source: ArcFace (Deng et al. 2019).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .irse import STAGES, body, stem


class IdentityNet(nn.Module):
    """Args: stages: width and number of units; side: of the input picture; width: of the embedding."""

    def __init__(self, stages: tuple[tuple[int, int], ...] = STAGES, side: int = 112, width: int = 512):
        super().__init__()
        last, pixels = stages[-1][0], (side // 2 ** len(stages)) ** 2
        self.input_layer = stem(3, stages[0][0])
        self.body = body(stages)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last), nn.Dropout(), nn.Flatten(), nn.Linear(last * pixels, width), nn.BatchNorm1d(width)
        )

    def forward(self, faces: Tensor) -> Tensor:
        """(N, 3, 112, 112) RGB in [-1, 1] -> (N, 512), not normalised."""
        return self.output_layer(self.body(self.input_layer(faces)))

    def embed(self, faces: Tensor) -> Tensor:
        """(N, 3, 112, 112) -> (N, 512) of Euclidean norm 1."""
        raw = self(faces)
        return raw / raw.norm(dim=1, keepdim=True)


def crop_face(pictures: Tensor) -> Tensor:
    """(N, 3, 256, 256) aligned pictures -> (N, 3, 112, 112): the part that the embedding is used to."""
    return F.adaptive_avg_pool2d(pictures[:, :, 35:223, 32:220], 112)
