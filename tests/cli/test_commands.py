"""Every command: its help, its errors, what it says on which stream."""

import re
import subprocess
import sys

import pytest

from styleheat_cli import __version__
from styleheat_cli.app import app
from styleheat_cli.commands.docs import commands_of
from styleheat_cli.errors import InputError, OutputError
from tests.synthetic import corners, numbered_frames, photo, write_clip

COMMANDS = dict(commands_of(app))


def plain(text):
    """Without the frames and line breaks that a terminal gets."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_that_parses(cli, name, monkeypatch):
    called = cli(*name.split(), "--help")
    example = COMMANDS[name].help.partition("Example: ")[2]
    assert called.code == 0 and not called.err and "Example: styleheat" in plain(called.out)
    words = example.split()
    assert words[1 : 1 + len(name.split())] == name.split()
    options = [word for word in words if word.startswith("--")]
    assert all(option in called.out for option in options)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name):
    for described in getattr(COMMANDS[name].callback, "described", ()):
        for field, info in described.model_fields.items():
            assert field in ("op", "kind") or (info.description or "").rstrip().endswith("."), f"{name}: {field}"


def test_the_catalogue_is_not_empty():
    assert {"reenact", "run", "motion", "inspect", "doctor", "demo"} <= set(COMMANDS)


def test_alone_it_prints_help_and_succeeds(cli):
    called = cli()
    assert called.code == 0 and "Usage: styleheat" in plain(called.out) and not called.err


def test_the_version_is_one_line(cli):
    called = cli("--version")
    assert (called.code, called.out, called.err) == (0, f"styleheat {__version__}\n", "")


@pytest.fixture
def files(tmp_path):
    """A folder with a portrait without a face, a clip and a text that calls itself a clip."""
    photo(tmp_path / "alice.png", corners(96, 160))
    write_clip(tmp_path / "bob.mp4", numbered_frames(10))
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "bad.yaml").write_text("source: alice.png\nrender: {crff: 3}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["reenact"], 2, "SOURCE"),
        (["reenact", "alice.png"], 2, "--driving"),
        (["reenact", "alice.png", "-d", "bob.mp4", "--pose-gain", "9"], 2, "--pose-gain"),
        (["reenact", "alice.png", "-d", "bob.mp4", "--nonsense"], 2, "--nonsense"),
        (["reenact", "alice.png", "-d", "bob.mp4", "--start", "abc"], 2, "'abc' is not a time"),
        (["reenact", "alice.png", "-d", "bob.mp4", "--face", "third"], 2, "--face"),
        (["reenact", "alice.png", "-d", "bob.mp4", "--device", "abacus"], 2, "is no device"),
        (["reenact", "alice.png", "-d", "bob.mp4", "--size", "511"], 2, "511 is odd"),
        (["reenact", "alice.png", "-d", "bob.mp4", "-y", "-n"], 2, "exclude each other"),
        (["reenact", "nobody.png", "-d", "bob.mp4"], 3, "no such file"),
        (["reenact", "alice.png", "-d", "text.mp4"], 3, "no media file"),
        (["reenact", "alice.png", "-d", "bob.mp4", "--weights", "nonsense"], 5, "no family of weights"),
        (["reenact", "alice.png", "-d", "bob.mp4", "-o", "no/where.mp4"], 7, "no such folder"),
        (["run", "bad.yaml"], 2, "bad.yaml:2: render.crff: not an option"),
        (["run", "nobody.yaml"], 2, "no such recipe"),
        (["motion", "text.mp4"], 3, "no media file"),
        (["motion", "bob.mp4", "-o", "x.txt"], 2, "ends in .safetensors"),
        (["inspect", "bob.mp4"], 3, "holds no record"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_an_error_is_one_message_and_its_code_with_or_without_json(cli, files, monkeypatch, arguments, code, message):
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    called = cli(*arguments)
    assert called.code == code and message in called.err and called.err.startswith("error: ")
    assert "Traceback" not in called.err and called.out == ""
    told = cli(*arguments, "--json").json["error"]
    assert told["code"] == code and message in told["message"] and told["hint"]
    assert bool(told["file"]) == (code in (InputError.exit_code, OutputError.exit_code)) and told["time_s"] is None
    assert sorted(files.iterdir()) == before


def test_a_bug_is_one_line_and_debug_shows_where(cli, files, monkeypatch):
    from styleheat_cli import preflight

    monkeypatch.setattr(preflight, "prepare", lambda *_, **__: 1 / 0)
    command = ["reenact", files / "alice.png", "-d", files / "bob.mp4", "--dry-run"]
    called = cli(*command)
    assert called.code == 1 and "has a bug: ZeroDivisionError" in called.err and "Traceback" not in called.err
    assert "Traceback" in cli(*command, "--debug").err


def test_a_dry_run_shows_the_plan_and_writes_nothing(cli, files, monkeypatch):
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    called = cli("reenact", "alice.png", "-d", "bob.mp4", "--dry-run")
    assert called.code == 0 and sorted(files.iterdir()) == before
    for word in ("160x96", "10 frames", "alice.reenact.mp4", "generator.safetensors", "terms ", "op: reenact"):
        assert word in called.out
    plan = cli("reenact", "alice.png", "-d", "bob.mp4", "--dry-run", "--json").json["plan"]
    assert plan["frames"] == 10 and plan["size"] == [160, 96] and plan["fps"] == "25"
    assert len(plan["weights"]) >= 4 and all(row["bytes"] > 0 and row["licence"] != "not stated" for row in plan["weights"])
    assert plan["estimate"]["seconds"] > 0 and plan["estimate"]["memory_bytes"] > 10**8


def test_a_recipe_and_a_command_make_the_same_plan(cli, files, monkeypatch):
    monkeypatch.chdir(files)
    (files / "r.yaml").write_text("source: alice.png\nsteps: [{op: reenact, driving: bob.mp4, region: lips}]\n")
    one = cli("run", "r.yaml", "--set", "render.crf=20", "--dry-run", "--json").json["plan"]
    other = cli("reenact", files / "alice.png", "-d", files / "bob.mp4", "--region", "lips", "--crf", "20", "--dry-run", "--json")
    strip = lambda plan: {k: v for k, v in plan.items() if k not in ("source", "driving", "outputs", "recipe")}  # noqa: E731
    assert strip(one) == strip(other.json["plan"])
    assert one["recipe"]["steps"][0]["region"] == "lips" and one["recipe"]["render"] == {"crf": 20}


def test_both_signs_of_a_switch_are_understood(cli, files, monkeypatch):
    monkeypatch.chdir(files)
    for word, value in (("--absolute", False), ("--relative", None)):
        step = cli("reenact", "alice.png", "-d", "bob.mp4", word, "--dry-run", "--json").json["plan"]["recipe"]["steps"][0]
        assert step.get("relative") == value


def test_a_pipe_that_closes_early_is_no_complaint(files):
    """`styleheat … | true`: the reader has gone before the first line."""
    command = [sys.executable, "-m", "styleheat_cli", "reenact", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(60) in (0, 141) and err == ""


def test_names_that_command_a_terminal_are_shown_as_escapes(cli, tmp_path):
    called = cli("reenact", tmp_path / "a\x1b[31m\nred.png", "-d", "b.mp4")
    assert called.code == 3 and "\x1b" not in called.err and "\\x1b[31m" in called.err


def test_the_list_of_directions_tells_every_one_of_both_families(cli):
    from styleheat_cli.ops.edit_attribute import DEFAULT, PUBLISHED

    told = cli("edit", "--list")
    assert told.code == 0 and not told.err and told.out == cli("edit-attribute", "--list").out
    assert all(f"\n{name} " in told.out for name in (*DEFAULT, *PUBLISHED))
