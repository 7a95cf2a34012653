"""`styleheat reenact` from the prompt, with the real weights: what it promises about files, times, names and stops."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.still import read_image
from tests.synthetic import face, face_clip, face_frames, numbered_frames, photo, tone, write_clip

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "styleheat_cli"]
SMALL = ("--crop", "--size", "64")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
HOSTILE = "-i; $(touch pwned) `x` \"'\n 😀 a:b {op} %s \\ &.png"


@pytest.fixture
def files(tmp_path):
    """A portrait, and a clip of ten frames with a tone, in a folder of their own."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    photo(folder / "alice.png", face(256))
    face_clip(folder / "bob.mp4", 0.4, size=128)
    return folder


def tree(folder: Path) -> dict[str, tuple]:
    """Every file's content and time of change."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "", path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def pictures(path):
    return np.stack([frame.image for frame in frames(probe(path))])


def test_a_photo_follows_a_clip_at_its_own_size_with_its_sound(cli, files, tmp_path, one_engine):
    before = tree(files)
    called = cli("reenact", files / "alice.png", "--driving", files / "bob.mp4", "-o", tmp_path / "out.mp4", "--crf", 0)
    assert (called.code, called.out) == (0, f"{tmp_path / 'out.mp4'}\n"), called.err
    clip = probe(tmp_path / "out.mp4")
    assert (clip.height, clip.width, clip.frames, clip.fps) == (256, 256, 10, 25) and clip.audio is not None
    assert tree(files) == before, "inputs are never written, and nothing is written beside them"


def test_pixels_far_from_the_head_are_the_source_s_own(cli, files, tmp_path, one_engine):
    cli("reenact", files / "alice.png", "-d", files / "bob.mp4", "-o", tmp_path / "out.mp4", "--crf", 0)
    source, made = read_image(files / "alice.png"), pictures(tmp_path / "out.mp4")
    assert (made[:, 160:] == source[160:]).all(), "the suit, below the head"
    assert (made[:, :, 200:] == source[:, 200:]).all(), "the shuttle, right of it"
    assert (made[:, 30:80, 90:130] != source[30:80, 90:130]).any(), "the face moves"


def test_the_head_turns_when_it_is_told_to_and_rests_when_not(cli, files, tmp_path, one_engine):
    from styleheat_cli.commands.demo import recipes_folder

    motion = recipes_folder() / "motions" / "demo.safetensors"
    moving, still = tmp_path / "moving.mp4", tmp_path / "still.mp4"
    shared = ("--start", "2.4", "--end", "2.8", "--crop", "--size", "128", "--crf", 0)
    assert cli("reenact", files / "alice.png", "-d", motion, "-o", moving, *shared).code == 0
    gains = ("--pose-gain", 0, "--expression-gain", 0)
    assert cli("reenact", files / "alice.png", "-d", motion, "-o", still, *shared, *gains).code == 0
    change = [np.abs(np.diff(pictures(path).astype(int), axis=0)).mean() for path in (moving, still)]
    assert change[1] < 0.05 < 0.5 < change[0]


@pytest.mark.parametrize("quality", [("--crf", "0", "--size", "64"), ("--crf", "18", "--size", "128")])
def test_the_same_command_twice_makes_the_same_bytes(cli, files, tmp_path, one_engine, quality):
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        output = tmp_path / name / "out.mp4"
        assert cli("reenact", files / "alice.png", "-d", files / "bob.mp4", "-o", output, "--crop", *quality).code == 0
    assert (tmp_path / "1" / "out.mp4").read_bytes() == (tmp_path / "2" / "out.mp4").read_bytes()


def test_the_record_makes_it_again_beside_the_same_inputs(cli, files, tmp_path, one_engine, monkeypatch):
    monkeypatch.chdir(files)
    assert cli("reenact", "alice.png", "-d", "bob.mp4", "-o", "out.mp4", *SMALL, "--pose-gain", "0.5", "--crf", "0").code == 0
    record = cli("inspect", "out.mp4", "--json").json
    assert record["recipe"]["steps"][0]["pose_gain"] == 0.5 and record["weights"]["family"] == "default"
    assert "edited with styleheat" in subprocess.run(
        [sys.executable, "-c", "import av,sys; print(av.open('out.mp4').metadata['comment'])"], capture_output=True, text=True
    ).stdout
    assert cli("inspect", "out.mp4", "--save-recipe", "again.yaml").code == 0
    assert cli("run", "again.yaml", "--set", "output=again.mp4").code == 0
    assert (pictures("again.mp4") == pictures("out.mp4")).all()


def test_a_motion_that_was_extracted_drives_like_its_clip(cli, files, tmp_path, one_engine):
    assert cli("motion", files / "bob.mp4", "-o", tmp_path / "bob.safetensors").code == 0
    for driving, output in ((files / "bob.mp4", "1.mp4"), (tmp_path / "bob.safetensors", "2.mp4")):
        assert cli("reenact", files / "alice.png", "-d", driving, "-o", tmp_path / output, *SMALL, "--crf", 0).code == 0
    one, two = pictures(tmp_path / "1.mp4"), pictures(tmp_path / "2.mp4")
    assert one.shape == two.shape and np.abs(one.astype(int) - two).max() <= 2


def test_json_is_one_object_and_progress_lines_are_json(cli, files, tmp_path, one_engine):
    called = cli("reenact", files / "alice.png", "-d", files / "bob.mp4", "-o", tmp_path / "o.mp4", *SMALL, "--json", "--progress", "jsonl")
    made = called.json
    assert made["frames"] == 10 and made["sound_from"] == "bob.mp4" and made["seconds"]["total"] > 0
    events = [json.loads(line) for line in called.err.splitlines()]
    assert {"track", "render"} <= {event["stage"] for event in events} and events[-1]["done"] == 10


def test_quiet_success_is_the_path_alone(cli, files, tmp_path, one_engine):
    called = cli("reenact", files / "alice.png", "-d", files / "bob.mp4", "-o", tmp_path / "o.mp4", *SMALL, "-q")
    assert (called.code, called.out, called.err) == (0, f"{tmp_path / 'o.mp4'}\n", "")


def test_a_missing_face_is_kept_held_or_fails(cli, files, tmp_path, one_engine):
    grey = np.full((128, 128, 3), 90, np.uint8)
    scene = [grey if i in (4, 5) else picture for i, picture in enumerate(face_frames(10, 128, 128))]
    source = write_clip(tmp_path / "scene.mkv", scene, codec="ffv1", pixel_format="bgr0")
    codes = {}
    for choice in ("keep", "hold", "fail"):
        output = tmp_path / f"{choice}.mp4"
        called = cli("reenact", source, "-d", files / "bob.mp4", "-o", output, "--on-missing-face", choice, "--crf", 0)
        codes[choice] = called.code
    assert codes == {"keep": 0, "hold": 0, "fail": 4}
    assert (pictures(tmp_path / "keep.mp4")[4:6] == grey).all() and not (tmp_path / "fail.mp4").exists()


def test_hostile_names_are_names(files, tmp_path):
    folder = tmp_path / "a b;c"
    folder.mkdir()
    source = folder / HOSTILE
    photo(source, face(256))
    driving = folder / "-o.mp4"
    driving.write_bytes((files / "bob.mp4").read_bytes())
    output = folder / ("é" * 100 + "\n$(touch pwned).mp4")
    ran = subprocess.run([*PROGRAM, "reenact", f"./{HOSTILE}", "--driving=-o.mp4", "-o", output.name, *SMALL, "-q"],
                         cwd=folder, capture_output=True, env=ENVIRONMENT)  # fmt: skip
    assert ran.returncode == 0 and os.fsdecode(ran.stdout) == f"{output.name}\n", ran.stderr
    assert probe(output).frames == 10
    assert sorted(folder.iterdir()) == sorted([source, driving, output]), "nothing was run, nothing else was written"


@pytest.mark.parametrize(
    "name", ["a b.png", "'.png", '".png', ";.png", "$(x).png", "-y.png", "\n.png", "😀.png", "x" * 240 + ".png", "{0}.png", "%d.png", "a:b.png"]
)
def test_a_name_reaches_the_plan_as_it_is(cli, files, name, monkeypatch):
    monkeypatch.chdir(files)
    (files / "alice.png").rename(files / name)
    called = cli("reenact", "-d", "bob.mp4", "--dry-run", "--json", "-o", "out.mp4", "--", name)
    assert called.code == 0 and called.json["plan"]["source"]["file"] == name


def test_poor_surroundings_change_nothing(files, tmp_path):
    """No terminal, no stdin, a C locale, a dumb terminal, no home; and no network."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import socket\n"
        "def refused(*a, **k): raise SystemExit('the network was touched')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refused\n"
    )
    paths = os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parents[2])])
    poor = {"LC_ALL": "C", "TERM": "dumb", "HOME": "/nowhere", "PATH": "/nowhere", "PYTHONPATH": paths}
    command = [*PROGRAM, "reenact", files / "alice.png", "-d", files / "bob.mp4", "-o", tmp_path / "ü.mp4", *SMALL]
    ran = subprocess.run(["/bin/sh", "-c", 'exec "$0" "$@" <&-', *map(str, command)], env=poor, capture_output=True, cwd="/")
    assert ran.returncode == 0 and probe(tmp_path / "ü.mp4").frames == 10, ran.stderr
    assert b"\x1b" not in ran.stderr and b"10/10 frames" in ran.stderr


def started(files, output, *more):
    """The program at work on a clip that takes a while, in a process of its own."""
    return subprocess.Popen([*PROGRAM, "reenact", files / "alice.png", "-d", files / "long.mp4", "-o", output, *SMALL, *more],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


@pytest.fixture
def long(files):
    write_clip(files / "long.mp4", face_frames(150, 128, 128), sound=tone(6))
    return files


def wait_for_part(folder, process):
    """Until the part file is there, that is, while pictures are being written."""
    end = time.monotonic() + 120
    while not list(folder.glob(".*.part")):
        assert process.poll() is None and time.monotonic() < end, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_run_leaves_no_name_and_says_so(long, tmp_path, number, code):
    output = tmp_path / "out.mp4"
    process = started(long, output)
    wait_for_part(tmp_path, process)
    time.sleep(random.Random(number).uniform(0, 0.5))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code and out == b"" and not output.exists()
    if number != signal.SIGKILL:
        assert b"stopped by SIG" in err and b"Traceback" not in err and not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_at_any_moment_an_older_result_stays_whole(long, tmp_path, number):
    output = tmp_path / "out.mp4"
    write_clip(output, numbered_frames(7))
    for moment in (0.1, 1.5, 4.0):
        process = started(long, output, "-y", "-q")
        time.sleep(moment)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert len(pictures(output)) in (7, 150)


def test_of_two_runs_with_one_name_the_second_is_refused(long, tmp_path):
    first = started(long, tmp_path / "out.mp4")
    wait_for_part(tmp_path, first)
    first.send_signal(signal.SIGSTOP)
    second = started(long, tmp_path / "out.mp4", "-q")
    _, err = second.communicate(timeout=120)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 7 and b"another run is writing out.mp4" in err
    first.communicate(timeout=600)
    assert first.returncode == 0 and probe(tmp_path / "out.mp4").frames == 150


@pytest.mark.timed
@pytest.mark.parametrize("arguments", [["nobody.png", "-d", "bob.mp4"], ["alice.png", "-d", "nobody.mp4"], ["alice.png", "-d", "bob.mp4", "-o", "a.xyz"], ["alice.png", "-d", "bob.mp4", "-o", "no/x.mp4"], ["alice.png", "-d", "bob.mp4", "-o", "bob.mp4", "-y"]])
def test_what_cannot_work_is_told_in_two_seconds_without_loading_a_model(files, arguments):
    code = (
        "import sys, time; began = time.process_time(); from styleheat_cli.app import run\n"
        f"code = run(['reenact', *{arguments!r}])\n"
        "print(code, time.process_time() - began, 'torch' in sys.modules, 'mediapipe' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=files, capture_output=True, text=True, env=ENVIRONMENT)
    exit_code, taken, torch, mediapipe = ran.stdout.split()
    assert int(exit_code) > 1 and float(taken) < 2 and (torch, mediapipe) == ("False", "False")


def test_an_option_of_every_kind_is_borne_at_once(cli, files, tmp_path, one_engine):
    called = cli(
        "reenact", files / "alice.png", "-d", files / "bob.mp4", "-o", tmp_path / "out.mkv", "--face", "1", "--driving-face", "left",
        "--absolute", "--region", "lips", "--mouth-gain", "1.3", "--eyes-gain", "0.5", "--pose-gain", "0.8", "--expression-gain", "1.1",
        "--smooth", "0.1", "--pose-limit", "15", "--start", "1f", "--end", "0.36", "--fps", "50", "--size", "128", "--codec", "vp9", "--crf", "30",
        "--audio-from", "none", "--sheet", tmp_path / "s.png", "--side-by-side", "--device", "cpu", "--seed", "3", "-v",
    )  # fmt: skip
    assert called.code == 0, called.err
    clip = probe(tmp_path / "out.mkv")
    assert (clip.width, clip.frames, clip.codec, clip.audio) == (128, 16, "vp9", None)
    assert read_image(tmp_path / "s.png").shape[0] > 500 and probe(tmp_path / "out.side-by-side.mkv").frames == 16


def test_faces_are_listed_with_their_thumbnails(cli, files, tmp_path):
    called = cli("faces", files / "bob.mp4", "--thumbnails", tmp_path / "t.png", "--every", "0.1", "--json")
    (only,) = called.json["faces"]
    assert only["face"] == 1 and only["spans_s"][0][0] == 0.0 and only["spans_s"][-1][1] >= 0.4
    assert 40 < only["size"][0] < 110 and read_image(tmp_path / "t.png").shape[0] >= 128


def test_the_demo_makes_its_two_files(cli, tmp_path, one_engine):
    called = cli("demo", "--output-dir", tmp_path / "out")
    assert called.code == 0, called.err
    assert called.out.splitlines() == [str(tmp_path / "out" / "demo.mp4"), str(tmp_path / "out" / "demo.png")]
    clip = probe(tmp_path / "out" / "demo.mp4")
    assert (clip.frames, clip.height, clip.width) == (175, 512, 512)


def test_the_doctor_finds_all_well(cli):
    called = cli("doctor", "--json")
    assert called.code == 0 and called.json["ok"], called.out
    assert {"python", "torch", "libx264", "recon", "device", "self-test"} <= {check["name"] for check in called.json["checks"]}
