"""Metrics: one formula a file. Importing the package enters all of them in the catalogue."""

from . import (  # noqa: F401
    age,
    background,
    blinks,
    coverage,
    cpbd,
    expression,
    fid,
    fidelity,
    identity,
    jitter,
    landmarks,
    lids,
    lpips,
    mouth,
    pose,
    sharpness,
    speech,
    ssim,
    sync,
    warping,
)
from .metric import CATALOGUE, Reading

__all__ = ["CATALOGUE", "Reading"]
