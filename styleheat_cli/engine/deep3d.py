"""Deep3D's reading of a clip: the numbers that the published networks were trained with, where its weights are installed.

Source: Deng et al. 2019; Yin et al. 2022, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..checkpoints.load import load_network
from ..checkpoints.manifest import Family
from ..face.align import crop_image
from ..face.align_published import crop_face, five_points
from ..face.regions import IBUG_68
from ..networks.recon import ReconNet, motion_coefficients
from ..shot import COEFFICIENTS, CROP, FaceTrack, Frame, MotionTrack, Reading

SIDE = 256  # of the pictures that faces are aligned in


@dataclass(frozen=True)
class Deep3D:
    """The network and the five points of its standard face (5, 3)."""

    network: ReconNet
    standard: np.ndarray

    @classmethod
    def of(cls, family: Family, device: torch.device) -> Deep3D | None:
        """Nothing where the family's recon or its standard face is not installed."""
        parts = [family.components.get(role) for role in ("recon", "standard_face")]
        if not all(part and part.find() for part in parts):
            return None
        network, face = (load_network(part, device) for part in parts)
        return cls(network, five_points(face.lm.cpu().numpy()))

    def read(self, motion: MotionTrack, face: FaceTrack) -> MotionTrack:
        """The motion with this network's reading of its clip; rows without a face take their neighbours'."""
        rows = np.full((len(face.times), COEFFICIENTS), np.nan, np.float32)
        for row, frame in self._frames(motion, face):
            rows[row] = self.numbers(frame.image, np.asarray(face.landmarks[row]), upright(face.crop[row]))
        rows[:, CROP] = 0
        bfm = MotionTrack(_bridged(rows), motion.times, space="bfm")
        return motion.with_(reading=Reading(motion, bfm))

    def _frames(self, motion: MotionTrack, face: FaceTrack) -> Iterator[tuple[int, Frame]]:
        from ..media.reader import frames

        stop = None if motion.clip.still else float(face.times[-1]) + 1e-6
        for row, frame in enumerate(frames(motion.clip, float(face.times[0]) or None, stop)):
            if row < len(face.seen) and face.seen[row]:
                yield row, frame

    @torch.inference_mode()
    def numbers(self, image: np.ndarray, landmarks: np.ndarray, crop: np.ndarray) -> np.ndarray:
        """(73,) of a frame (H, W, 3) whose landmarks (478, 3) are in its pixels, aligned inside a crop (2, 3)."""
        points = SIDE * (landmarks[IBUG_68, :2] @ crop[:, :2].T + crop[:, 2]) - 0.5
        face = crop_face(crop_image(image, crop, SIDE), points, self.standard)
        like = self.network.final_layers[0].weight
        picture = torch.from_numpy(face.image.copy()).permute(2, 0, 1)[None].to(like) / 255
        crop_row = torch.from_numpy(face.crop)[None].to(like)
        return motion_coefficients(self.network(picture), crop_row)[0].float().cpu().numpy()


def upright(crop: np.ndarray) -> np.ndarray:
    """The crop (2, 3) with the same middle and side that does not lean."""
    linear = crop[:, :2].astype(np.float64)
    middle = np.linalg.solve(linear, 0.5 - crop[:, 2])
    scale = np.sqrt(np.linalg.det(linear)) * np.eye(2)
    return np.column_stack([scale, 0.5 - scale @ middle])


def _bridged(rows: np.ndarray) -> np.ndarray:
    """The rows with those that are NaN on a line between their neighbours, held at both ends."""
    known = np.flatnonzero(np.isfinite(rows[:, 0]))
    at = np.arange(len(rows))
    return np.stack([np.interp(at, known, column[known]) for column in rows.T], 1).astype(np.float32)
