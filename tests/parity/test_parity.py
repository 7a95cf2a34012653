"""Every golden output of the official implementation, met within its stated tolerance."""

from __future__ import annotations

import pytest
import torch

from .cases import GROUPS
from .fixture import Fixture
from .golden import Golden, golden_file, parity_folder

pytestmark = pytest.mark.skipif(
    parity_folder() is None or golden_file() is None,
    reason="no parity fixtures: set STYLEHEAT_SHARED, or lay them beside the repository as ../shared/parity",
)


@pytest.fixture(scope="session")
def golden():
    return Golden(golden_file())


@pytest.fixture(scope="session")
def fixture(golden):
    torch.set_num_threads(2)
    return Fixture(parity_folder(), golden.seed)


def group_parameters():
    for group in GROUPS.values():
        yield pytest.param(group, id=group.name, marks=[pytest.mark.slow] if group.slow else [])


@pytest.mark.parametrize("group", group_parameters())
@torch.no_grad()
def test_our_output_is_the_official_one(group, fixture, golden):
    for name, array in group.run(fixture, golden):
        for margin in golden.margins(f"{group.name}/{name}".rstrip("/"), array):
            assert margin.passes, margin


def test_every_golden_entry_belongs_to_a_group(golden):
    stray = [entry for entry in golden.index if not entry.startswith(tuple(f"{name}/" for name in GROUPS))]
    assert not [entry for entry in stray if entry not in GROUPS], stray
