"""Judges: the networks that some metrics ask, found by role, or the reason why one is absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..errors import CheckpointError
from .face_geometry import similarity

if TYPE_CHECKING:
    from torch import Tensor

FAMILY = "judges"
EMBEDDED = {"recon": "landmark model", "attributes": "readings of attributes"}
FETCH = "styleheat checkpoints fetch judges"
DEEP3D, FETCH_DEEP3D = "deep3d", "styleheat checkpoints fetch styleheat --role recon --role standard_face"
ARCFACE_POINTS = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""Where ArcFace expects eyes, nose and mouth corners in its 112 px crop (Deng et al. 2019)."""


class Judges:
    """The judges by role, loaded on first use.

    Those of the roles `recon` and `attributes` come with the product, that of role `deep3d` belongs to the published family;
    the others are components of the family `judges`, which `styleheat checkpoints fetch judges` brings.
    """

    def __init__(self, given: dict[str, Any] | None = None):
        self._loaded: dict[str, Any] = dict(given or {})
        self._absent: dict[str, str] = {}

    def get(self, role: str) -> Any:
        """The judge of a role.

        Raises:
            CheckpointError: it is absent, with the command that brings it.
        """
        why = self.why_absent(role)
        if why:
            raise CheckpointError(f"no judge for {role}: {why}", hint=FETCH)
        return self._loaded[role]

    def why_absent(self, role: str) -> str:
        """What the metric needs, or nothing where the judge is there."""
        if role not in self._loaded and role not in self._absent:
            try:
                self._loaded[role] = LOADERS[role](role)
            except CheckpointError as error:
                self._absent[role] = _remedy(role, error)
        return self._absent.get(role, "")


def _remedy(role: str, error: CheckpointError) -> str:
    if role in EMBEDDED:
        return f"needs the embedded {EMBEDDED[role]}: {error}"
    fetch = FETCH_DEEP3D if role == DEEP3D else FETCH
    absent = any(word in str(error) for word in (" lack ", "no family", "have no "))
    return f"needs {role} ({fetch})" if absent else f"needs {role}, but {error} ({fetch})"


def network(role: str) -> Any:
    """The network of a role in the family `judges`, with its weights, in evaluation mode on the CPU."""
    from ..checkpoints import load_family
    from ..networks.published import blueprint

    component = load_family(FAMILY).component(role)
    net = blueprint(component.architecture, component.config)
    net.load_state_dict(component.state_dict(), assign=True)
    return net


def _features(role: str) -> Callable[[np.ndarray], np.ndarray]:
    """Picture (H, W, 3) uint8 -> (1, D) float32 features."""
    net = network(role)
    return lambda image: _asked(net, batch(image)).numpy()


def _distance(role: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """Two pictures of one size -> their distance."""
    features, heads = network(role), network(f"{role}-heads")
    return lambda a, b: float(_asked(lambda x, y: heads(features(x), features(y)), batch(a), batch(b)))


def _embedding(role: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Picture and mesh -> (512,) embedding of the aligned face."""
    net = network(role)
    return lambda image, face: _asked(net, batch(aligned(image, face)))[0].numpy()


def _sync(role: str) -> Any:
    net = network(role)
    from .syncnet import Lips

    return Lips(net)


def _recon(role: str) -> Any:
    from .recon import Recon

    return Recon.embedded()


def _attributes(role: str) -> Any:
    from .attributes import Reader

    return Reader.embedded()


def _deep3d(role: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Picture and mesh -> (73,): what the published network reads there."""
    import torch

    from ..checkpoints import load_family
    from ..engine.deep3d import Deep3D
    from ..face.align import square, transform

    reader = Deep3D.of(load_family("styleheat"), torch.device("cpu"))
    if reader is None:
        raise CheckpointError("the styleheat weights lack recon or standard_face", hint=FETCH_DEEP3D)
    return lambda image, face: reader.numbers(image, face, transform(square(face)))


LOADERS: dict[str, Callable[[str], Any]] = {
    "recon": _recon,
    "attributes": _attributes,
    DEEP3D: _deep3d,
    "inception": _features,
    "perceptual-alex": _distance,
    "perceptual-vgg": _distance,
    "identity": _embedding,
    "sync": _sync,
}


def aligned(image: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(112, 112, 3) uint8: the face where ArcFace expects it, by the similarity through five points."""
    eyes = face[[33, 133, 362, 263], :2].reshape(2, 2, 2).mean(1)
    points = np.concatenate([eyes, face[[4, 61, 291], :2]])
    scale, rotation, shift = similarity(points.astype(np.float64), ARCFACE_POINTS)
    matrix = np.concatenate([scale * rotation, shift[:, None]], 1)
    return cv2.warpAffine(image, matrix, (112, 112), flags=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR)


def batch(image: np.ndarray) -> Tensor:
    """(1, 3, H, W) float32 in [-1, 1] of an (H, W, 3) uint8 picture."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 127.5 - 1


def _asked(net: Any, *pictures: Tensor) -> Tensor:
    import torch

    with torch.inference_mode():
        return net(*pictures)
