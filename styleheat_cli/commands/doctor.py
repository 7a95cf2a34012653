"""`styleheat doctor`: what this machine can do, as checks with remedies."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import typer

from .. import __version__
from ..errors import MachineError, StyleheatError
from ..ops import Description
from .console import Talk, result, result_json, talking
from .options import command

PACKAGES = ("torch", "mediapipe", "av", "numpy", "opencv-contrib-python", "scipy", "librosa", "insightface")
ENCODERS = {"libx264": True, "aac": True, "libx265": False, "libvpx-vp9": False, "libopus": False, "ffv1": False}
SELF_TEST_S = 0.2  # five frames at 25 fps


class Doctor(Description):
    """Check what this machine can do: versions, codecs, weights, device, writing, and a self-test of five frames."""

    weights: str = "default"
    """Family of weights to check: default, styleheat, or the path of a manifest."""


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is well, what was found, and the command that would mend it."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor", help=f"{Doctor.__doc__}\n\nExample: styleheat doctor --json")(
        command(Doctor, Talk, run=_run)
    )


def _run(given: Doctor, talk: Talk) -> None:
    with talking(talk):
        checks = [check for look in LOOKS for check in _looked(look, given)]
    failed = [check for check in checks if not check.ok]
    if talk.json_:
        result_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        result("\n".join(_line(check) for check in checks))
    if failed:
        raise typer.Exit(MachineError.exit_code)


def _line(check: Check) -> str:
    remedy = f"\n      {check.remedy}" if check.remedy and not check.ok else ""
    return f"{'ok' if check.ok else 'FAIL':<5} {check.name:<12} {check.found}{remedy}"


def _looked(look: Callable[[Doctor], list[Check]], given: Doctor) -> list[Check]:
    """A look's checks; a failure that it did not foresee is a failed check, with its own remedy."""
    try:
        return look(given)
    except StyleheatError as error:
        return [Check(look.__name__, False, str(error), error.hint)]
    except (ImportError, OSError, RuntimeError) as error:
        return [Check(look.__name__, False, f"{type(error).__name__}: {error}", "install styleheat again")]


def machine(given: Doctor) -> list[Check]:
    """Python and the machine."""
    supported = (3, 11) <= sys.version_info < (3, 13)
    about = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return [
        Check("styleheat", True, __version__),
        Check("python", supported, about, "install Python 3.11 or 3.12"),
    ]


def packages(given: Doctor) -> list[Check]:
    """The versions of what it stands on."""
    checks = []
    for name in PACKAGES:
        try:
            checks.append(Check(name, True, metadata.version(name)))
        except metadata.PackageNotFoundError:
            checks.append(Check(name, False, "not installed", f"pip install {name}"))
    return checks


def codecs(given: Doctor) -> list[Check]:
    """The encoders that results are written with."""
    from ..media.encoders import check_encoder

    checks = []
    for name, needed in ENCODERS.items():
        try:
            check_encoder(name)
            checks.append(Check(name, True, "can encode"))
        except MachineError as error:
            checks.append(Check(name, not needed, str(error), "pip install --force-reinstall av"))
    return checks


def weights(given: Doctor) -> list[Check]:
    """Every file of the family, held to its digest."""
    from ..checkpoints import load_family

    checks = []
    for component in load_family(given.weights).components.values():
        try:
            path = component.path()
            checks.append(Check(component.role, True, f"{path.name}, {path.stat().st_size / 1e6:.1f} MB, as published"))
        except StyleheatError as error:
            checks.append(Check(component.role, component.optional, str(error), error.hint))
    return checks


def device(given: Doctor) -> list[Check]:
    """Where it would compute."""
    import torch

    if torch.cuda.is_available():
        return [Check("device", True, f"cuda: {torch.cuda.get_device_name()}")]
    if torch.backends.mps.is_available():
        return [Check("device", True, "mps")]
    return [Check("device", True, f"cpu, {torch.get_num_threads()} threads; no GPU is needed")]


def writing(given: Doctor) -> list[Check]:
    """Whether files can be written here and in the temporary folder."""
    return [_writable("here", Path()), _writable("temporary", Path(tempfile.gettempdir()))]


def _writable(name: str, folder: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"styleheat")
        return Check(name, True, f"{folder.absolute()} can be written")
    except OSError as error:
        return Check(name, False, f"{folder.absolute()}: {error.strerror}", "change to another folder")


def self_test(given: Doctor) -> list[Check]:
    """Five frames from end to end."""
    from .. import execute
    from .demo import demo_recipe

    with tempfile.TemporaryDirectory() as folder:
        recipe = demo_recipe(Path(folder) / "self-test.mp4", end=SELF_TEST_S, weights=given.weights)
        made = execute.run(recipe)
    seconds = made.seconds["total"]
    return [Check("self-test", made.frames == 5, f"{made.frames} of 5 frames in {seconds:.1f} s", "install styleheat again")]


LOOKS = (machine, packages, codecs, weights, device, writing, self_test)
