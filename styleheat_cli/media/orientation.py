"""Which way is up: the display matrix of a stream, as quarter turns and mirrorings."""

from __future__ import annotations

import av
import numpy as np


def turn_of(frame: av.VideoFrame) -> tuple[int, bool]:
    """(degrees clockwise: 0, 90, 180, 270; mirrored left-right after the turn) that set a decoded picture upright.

    Convention: the display matrix maps decoded (x, y) to shown (x a + y c, x b + y d), row-major a b u c d v, 16.16.
    """
    matrix = next((s for s in frame.side_data if s.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return 0, False
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32)[:9].astype(float) / 65536
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the mirroring of shown x, so that a pure turn is left
        a, c = -a, -c
    degrees = round(np.degrees(np.arctan2(b, a)) / 90) * 90 % 360
    return int(degrees), bool(mirrored)


def upright(image: np.ndarray, degrees: int, mirrored: bool) -> np.ndarray:
    """The picture turned clockwise by quarter turns, then mirrored; contiguous."""
    turned = np.rot90(image, -degrees // 90) if degrees else image
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
