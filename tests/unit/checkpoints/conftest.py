"""A small family of published files, and a server on loopback that serves them well or badly."""

from __future__ import annotations

import zipfile

import pytest
import torch

from styleheat_cli.checkpoints import load_family
from styleheat_cli.networks.published import blueprint
from tests.served import Published

WARPER = {"rows": 5, "widths": [4, 8, 8], "decoder": [8], "descriptor": 8}


@pytest.fixture
def published(tmp_path):
    """The files of the small family, served."""
    folder = tmp_path / "published"
    folder.mkdir()
    torch.manual_seed(0)
    warper = blueprint("video-warper", WARPER).state_dict()
    whole = {f"video_warper.{key}": torch.randn(value.shape) for key, value in warper.items()}
    torch.save({"net_G_ema": whole, "epoch": 20}, folder / "motion.pt")
    torch.save({"latent_avg": torch.randn(16)}, folder / "average.pth")
    with zipfile.ZipFile(folder / "directions.zip", "w") as archive:
        for name in ("age", "pose"):
            torch.save(torch.randn(1, 16), folder / f"{name}.pt")
            archive.write(folder / f"{name}.pt", f"interfacegan_directions/{name}.pt")
            (folder / f"{name}.pt").unlink()
    served = Published(folder)
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.fixture
def family(published, tmp_path, monkeypatch):
    """The small family: three published files, addresses on loopback, nothing fetched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STYLEHEAT_CHECKPOINTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "small.toml").write_text(
        f"""
        name = "small"
        licence = "for research only"
        [sources.motion]
        name = "motion.pt"
        url = "{published.address}/motion.pt"
        [sources.average]
        name = "average.pth"
        url = "{published.address}/average.pth"
        [sources.directions]
        name = "directions.zip"
        url = "{published.address}/directions.zip"
        members = ["age.pt", "pose.pt"]
        [components.motion]
        architecture = "video-warper"
        config = {{ rows = 5, widths = [4, 8, 8], decoder = [8], descriptor = 8 }}
        file = "small/motion.safetensors"
        prefix = "net_G_ema.video_warper."
        source = "motion"
        [components.average_code]
        architecture = "average-code"
        config = {{ rows = 4, width = 16 }}
        file = "small/average.safetensors"
        source = "average"
        override = {{ role = "motion", prefix = "net_G_ema.generator." }}
        [components.directions]
        architecture = "directions"
        config = {{ rows = 4, width = 16 }}
        file = "small/directions.safetensors"
        source = "directions"
        optional = true
        note = "without it, no age"
        """
    )
    return load_family(tmp_path / "small.toml", tmp_path / "store")
