"""The rule gives the same numbers everywhere, and our architectures have the published keys and shapes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from styleheat_cli.checkpoints import load_family
from styleheat_cli.checkpoints.convert import COUNTER, normal_form
from styleheat_cli.networks.published import blueprint

from . import rule
from .fixture import MANIFESTS
from .golden import blocks, parity_folder, windows


def test_the_stream_of_a_label_is_the_agreed_one():
    sums = rule.normal("0:self-test:a", (3,)) * np.sqrt((2.0**32 - 1) / 3) + 2 * 0xFFFF
    assert sums.round().astype(int).tolist() == [141385, 154598, 148316]  # told by the specification


def test_numbers_are_standard_and_differ_by_label():
    a, b = rule.normal("a", (100_000,)), rule.normal("b", (100_000,))
    assert abs(a.mean()) < 0.02 and abs(a.std() - 1) < 0.01 and abs(np.corrcoef(a, b)[0, 1]) < 0.02
    assert np.abs(a).max() < 3.47
    u = rule.uniform("a", (100_000,))
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.01


def test_a_window_and_a_block_are_where_the_specification_says():
    picture = np.arange(128 * 128, dtype=np.float32).reshape(1, 1, 128, 128)
    assert windows(picture, 0)[0, 0, 0, 0] == 0
    assert windows(picture, 2)[0, 0, -1, -1] == 128 * 128 - 1
    assert windows(picture, 3)[0, 0, 0, 0] == 39 * 128 + 87
    assert blocks(picture)[0, 0, 0, 0] == np.mean([0, 1, 128, 129])


@pytest.fixture(scope="module")
def manifests():
    folder = parity_folder()
    if folder is None:
        pytest.skip("no parity fixtures: set STYLEHEAT_SHARED, or lay them beside the repository as ../shared/parity")
    return {path.stem: json.loads(path.read_text("utf-8")) for path in (folder / "manifests").glob("*.json")}


def published_shapes(manifest):
    """Flat key -> shape, as `convert.flatten` names them."""
    shapes = {}
    for section in manifest["sections"]:
        start = ".".join(section["path"])
        if "tensor" in section:
            shapes[start] = tuple(section["tensor"]["shape"])
        else:
            entries = section["entries"].items()
            shapes |= {f"{start}.{key}".lstrip("."): tuple(entry["shape"]) for key, entry in entries}
    return shapes


SPARE = {"perceptual": "features.3"}
"""Published keys that nobody reads: VGG19 beyond relu 5_1 (features.30, .32, .34)."""


@pytest.mark.parametrize("source", [key for key in MANIFESTS if key != "standard_face"])
def test_every_published_key_and_shape_is_ours(manifests, source):
    import torch

    family, shapes = load_family("styleheat"), published_shapes(manifests[MANIFESTS[source]])
    ours = set()
    for component in (c for c in family.components.values() if c.source == source):
        for key, blank in blueprint(component.architecture, component.config).state_dict().items():
            theirs = normal_form(
                component.architecture, torch.empty(shapes[component.prefix + key], device="meta"), tuple(blank.shape)
            )
            assert theirs.shape == blank.shape, key
            ours.add(component.prefix + key)
    spare = {key for key in set(shapes) - ours if not key.startswith(SPARE.get(source, "-"))}
    assert not spare
    assert any(key.endswith(COUNTER) for key in ours) == any(key.endswith(COUNTER) for key in shapes)
