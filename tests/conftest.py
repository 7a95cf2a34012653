"""What all tests share: the folder of real clips, where there is one."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real clips and portraits; tests that need it are skipped, saying so, where it is absent."""
    folder = Path(os.environ.get("STYLEHEAT_SHARED") or BESIDE)
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder}: set STYLEHEAT_SHARED to the folder that holds data/")
    return folder
