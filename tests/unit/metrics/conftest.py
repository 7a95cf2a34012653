"""Faces from numbers: a mesh whose rigid points are the mean head, to be turned, moved and scaled."""

import numpy as np
import pytest

from styleheat_cli.metrics.face_geometry import HEAD, LIPS, OVAL, RIGID


def turned(points, pitch=0.0, yaw=0.0, roll=0.0):
    """Points turned by degrees: pitch up, then yaw to the picture's right, then roll clockwise."""
    a, b, c = np.radians([-pitch, -yaw, roll])
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return points @ (z @ y @ x).T


@pytest.fixture(scope="session")
def mesh():
    """(478, 3) float64: a face at the 256 scale with the nasion at (128, 100), random where nobody looks."""
    face = np.random.default_rng(0).normal((0, 30, 20), 30, (478, 3))
    angles = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    face[list(OVAL)] = np.stack([65 * np.sin(angles), 33 - 80 * np.cos(angles), 30 + 0 * angles], 1)
    angles = np.linspace(0, 2 * np.pi, len(LIPS), endpoint=False)
    face[list(LIPS)] = np.stack([25 * np.sin(angles), 70 - 10 * np.cos(angles), 0 * angles], 1)
    face[RIGID] = HEAD
    return face + np.array((128, 100, 0))


@pytest.fixture(scope="session")
def turn():
    return turned
