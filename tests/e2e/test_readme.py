"""Every command that the README shows works as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from tests.synthetic import face, face_clip, photo, tone, write_sound

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text("utf-8").split("## Reference")[0]
BLOCKS = [block for language, block in re.findall(r"```(\w*)\n(.*?)```", TEXT, re.S) if not language]
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
SHOWN = [line for line in LINES if line.startswith("styleheat ")]
PUBLISHED = [line for line in SHOWN if " styleheat" in line]
"""Commands for weights that are not shipped."""
COMMANDS = [line for line in SHOWN if line not in PUBLISHED]
TARGETS = [line.removeprefix("make ") for line in LINES if line.startswith("make ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Alice, Bob, a talk, a party and what is spoken, as the README names them."""
    made = tmp_path_factory.mktemp("readme")
    photo(made / "alice.jpg", face(160))
    for name in ("bob.mp4", "talk.mp4", "party.mp4"):
        face_clip(made / name, 0.2, size=128)
    write_sound(made / "speech.wav", tone(0.2))
    write_sound(made / "german.m4a", tone(0.2), codec="aac")
    return made


@pytest.mark.slow
def test_the_commands_work_in_their_order(folder, monkeypatch, cli, one_engine):
    monkeypatch.chdir(folder)
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        again = ["-y"] if words[0] in ("reenact", "run") else []
        called = cli(*words, *again)
        assert called.code == 0, f"{command}\n{called.err}"
    assert (folder / "alice-as-bob.mp4").is_file() and (folder / "bob.safetensors").is_file()


@pytest.mark.parametrize("command", PUBLISHED)
def test_the_commands_for_published_weights_tell_the_way_to_them(folder, monkeypatch, cli, command):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "empty"))
    called = cli(*shlex.split(command)[1:], *(["-y"] if "reenact" in command else []))
    assert called.code == 5 and "styleheat checkpoints fetch styleheat" in called.err


def test_the_readme_shows_commands():
    assert len(COMMANDS) >= 8 and PUBLISHED and {"demo", "test"} <= {target.split()[0] for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_the_make_targets_exist(target):
    makefile = README.with_name("Makefile").read_text("utf-8")
    assert re.search(rf"^{target.split()[0]}:", makefile, re.M)


def test_the_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert links and all((README.parent / link).exists() for link in links), links
