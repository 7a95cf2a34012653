"""What all tests share: the folder of real clips, where there is one."""

import os
import signal
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2] / "shared"


def pytest_configure(config):
    """Under nohup, or as a shell's background job, some signals arrive ignored, and what the tests start would inherit that."""
    for name, usual in {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}.items():
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real clips and portraits; tests that need it are skipped, saying so, where it is absent."""
    folder = Path(os.environ.get("STYLEHEAT_SHARED") or BESIDE)
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder}: set STYLEHEAT_SHARED to the folder that holds data/")
    return folder


@pytest.fixture
def one_thread():
    """Toy networks wait for each other's threads longer than they work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
