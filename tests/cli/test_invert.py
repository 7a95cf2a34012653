"""`styleheat invert`: the file, its preview, the numbers, and that `--inversion` takes it and nothing else."""

import pytest
from PIL import Image
from skimage import data


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Image.fromarray(data.astronaut()).save(tmp_path / "alice.png")
    return tmp_path / "alice.png"


@pytest.mark.slow  # 8 s
def test_a_photo_is_inverted_and_the_file_used(cli, photo, tmp_path):
    plain = cli("invert", photo, "-o", tmp_path / "a.safetensors", "--json").json
    better = cli("invert", photo, "-o", tmp_path / "b.safetensors", "--method", "optimise", "--steps", "10", "--json").json
    assert plain["method"] == "encode" and better["psnr"] > plain["psnr"] > 28 and 0.9 < plain["ssim"] < better["ssim"]
    assert Image.open(tmp_path / "a.png").size[1] == 512
    again = cli("invert", photo, "-o", tmp_path / "a.safetensors")
    assert again.code == 7 and "-y" in again.err
    called = cli("edit-3dmm", photo, "--yaw", "5", "--inversion", tmp_path / "b.safetensors", "-o", tmp_path / "c.png")
    assert called.code == 0 and (tmp_path / "c.png").is_file()
    Image.fromarray(data.astronaut()[:, ::-1]).save(tmp_path / "bob.png")
    called = cli("edit-3dmm", tmp_path / "bob.png", "--yaw", "5", "--inversion", tmp_path / "b.safetensors", "-o", tmp_path / "d.png")
    assert called.code == 3 and "the inversion of alice.png, not of bob.png" in called.err and "styleheat invert bob.png" in called.err


def test_what_cannot_be_inverted_is_said(cli, photo, tmp_path):
    called = cli("invert", photo, "--method", "hfgi", "-o", tmp_path / "x.safetensors")
    assert called.code == 2 and "encode, optimise" in called.err
    called = cli("invert", photo, "-o", tmp_path / "x.mp4")
    assert called.code == 2 and ".safetensors" in called.err
    called = cli("invert", photo, "--weights", "styleheat", "-o", tmp_path / "x.safetensors")
    assert called.code == 5 and "styleheat checkpoints fetch styleheat" in called.err
