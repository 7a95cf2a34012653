"""The wheel: it holds what the program needs and nothing else, and works from any folder."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("hatchling"), reason="hatchling is not installed: pip install hatchling"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built without the network; a stray file stands by that must not get in."""
    folder = tmp_path_factory.mktemp("dist")
    stray = ROOT / "checkpoints" / "default" / "fetched.part"
    stray.write_bytes(b"x")
    try:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
        subprocess.run(command, check=True, capture_output=True)
    finally:
        stray.unlink()
    return next(folder.glob("*.whl"))


def test_it_holds_the_weights_the_recipes_and_no_stray_file(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    manifest = tomllib.loads((ROOT / "checkpoints" / "default.toml").read_text("utf-8"))
    data = "styleheat_cli/_data"
    for component in manifest["components"].values():
        assert f"{data}/checkpoints/{component['file']}" in names
    for recipe in (ROOT / "recipes").rglob("*.yaml"):
        assert f"{data}/recipes/{recipe.relative_to(ROOT / 'recipes').as_posix()}" in names
    assert f"{data}/checkpoints/styleheat.toml" in names and f"{data}/recipes/motions/demo.safetensors" in names
    assert not [name for name in names if name.endswith((".part", ".pyc")) or name.startswith(("tests", "recipes", "checkpoints"))]
    assert wheel.stat().st_size < 60e6


def test_installed_elsewhere_it_runs_from_any_folder(wheel, tmp_path):
    """Unpacked as pip does it, beside the packages of this environment, away from the repository."""
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    code = (
        "import styleheat_cli, sys; assert 'site' in styleheat_cli.__file__, styleheat_cli.__file__\n"
        "from styleheat_cli.app import run\n"
        "sys.exit(run(['doctor', '--json']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
