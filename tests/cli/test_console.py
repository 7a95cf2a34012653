"""How it talks: progress in four ways, notes, aligned tables."""

import io
import json
import logging
import os
import sys

import pytest

from styleheat_cli.commands import console
from styleheat_cli.commands.console import Talk, line_of, table, talking, tell
from styleheat_cli.progress import Event


def shown(capfd, talk, events):
    with talking(talk) as progress:
        for event in events:
            progress(event)
    return capfd.readouterr()


def test_plain_lines_stand_in_where_there_is_no_terminal(capfd):
    out, err = shown(capfd, Talk(), [Event("render", n, 50) for n in range(1, 51)])
    assert out == "" and err.startswith("render  50/50 frames") and err.count("\n") == 1


def test_json_lines_are_json_and_the_last_is_complete(capfd):
    _, err = shown(capfd, Talk(progress="jsonl"), [Event("track", n, 9) for n in range(1, 10)])
    events = [json.loads(line) for line in err.splitlines()]
    assert events[-1] | {"elapsed_s": 0} == {
        "event": "progress", "stage": "track", "done": 9, "total": 9, "unit": "frames", "elapsed_s": 0,
    }  # fmt: skip


@pytest.mark.parametrize("talk", [Talk(progress="none"), Talk(quiet=True)])
def test_none_and_quiet_say_nothing(capfd, talk):
    assert shown(capfd, talk, [Event("track", 9, 9)]) == ("", "")


def test_a_bar_is_drawn_on_stderr_only(capfd):
    out, err = shown(capfd, Talk(progress="bar"), [Event("render", n, 3) for n in (1, 2, 3)])
    assert out == "" and "render" in err


@pytest.mark.parametrize(("settings", "mode"), [({"TERM": "dumb"}, "plain"), ({"TERM": "xterm"}, "bar")])
def test_a_dumb_terminal_gets_plain_lines(monkeypatch, settings, mode):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", settings["TERM"])
    assert Talk().mode == mode


def test_a_stage_that_starts_again_is_timed_anew(monkeypatch, capfd):
    clock = iter([0.0, 10.0, 100.0, 101.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    pace = console.Pace()
    assert [pace(Event("track", done, 20)) for done in (1, 20, 1, 20)] == [(0, True), (10, False), (0, True), (1, False)]


def test_a_line_says_stage_count_and_speed():
    assert line_of(Event("render", 312, 750), 7.6) == "render  312/750 frames  41 fps"
    assert line_of(Event("read", 5, 0, "files"), 1.0) == "read  5 files  5 files/s"


@pytest.mark.parametrize(
    ("talk", "lines"),
    [(Talk(), ["warning: odd"]), (Talk(verbose=True), ["a note", "warning: odd"]), (Talk(quiet=True), [])],
)
def test_notes_follow_quiet_and_verbose_and_come_once(capfd, talk, lines):
    log = logging.getLogger("styleheat_cli.somewhere")
    with talking(talk):
        for _ in range(2):
            log.info("a note")
            log.warning("odd")
    assert capfd.readouterr().err.splitlines() == lines


def test_talk_goes_on_when_nobody_listens(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    tell("hello")
    monkeypatch.setattr(sys, "stderr", None)
    tell("hello")


def test_a_path_keeps_the_bytes_of_its_name(capfd):
    name = os.fsdecode(b"caf\xe9 \xf0\x9f\x98\x80.mp4")
    capfd.readouterr()
    console.result(name)
    sys.stdout.flush()
    assert "caf" in capfd.readouterr().out


def test_a_table_is_aligned_and_numbers_stand_right():
    assert table([("a", 1), ("bbb", 22)], ("name", "n")) == "name   n\na      1\nbbb   22"
