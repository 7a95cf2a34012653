"""P1, P2, P4: a name appears only when its file is complete; inputs stay as they are; names are only names."""

import contextlib
import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.errors import OutputError
from styleheat_cli.media.motion_file import write_motion
from styleheat_cli.media.output import cannot_write, check_output, part_of
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.sound import Sound
from styleheat_cli.media.writer import VideoWriter
from styleheat_cli.shot import MotionTrack
from tests import synthetic
from tests.synthetic import number_of, numbered, numbered_frames, tone, write_clip

ROOT = Path(__file__).parents[3]
AS_ROOT = os.name == "posix" and os.geteuid() == 0


def film(path, count=10, **how):
    with VideoWriter(path, 64, 96, fps=25, time_base=Fraction(1, 25), **how) as writer:
        for i in range(count):
            writer.write(numbered(i), i)


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# What is said before work starts


def test_a_link_counts_as_there_even_if_it_leads_nowhere(tmp_path):
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    (tmp_path / "dead.mp4").symlink_to(tmp_path / "nothing")
    for path in (tmp_path / "loop.mp4", tmp_path / "dead.mp4"):
        with pytest.raises(OutputError, match="exists already"):
            check_output(path)
        film(path)
        assert probe(path).frames == 10 and not path.is_symlink()


def test_a_free_name_is_fine(tmp_path):
    check_output(tmp_path / "a.mp4")


def test_what_exists_is_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    with pytest.raises(OutputError, match="exists already") as caught:
        check_output(path)
    assert "-y" in caught.value.hint and "-n" in caught.value.hint
    check_output(path, overwrite=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda d: d, "is a folder"),
        (lambda d: d / "none" / "a.mp4", "no such folder"),
        (lambda d: d / "file" / "a.mp4", "is a file, not a folder"),
        (lambda d: d / ("é" * 126 + ".mp4"), "longer than 255 bytes"),
        (lambda d: d / "loop" / "a.mp4", "loop|no such folder|levels"),
        (lambda d: d / "nul\0.mp4", "is no file name"),
    ],
)
def test_a_name_that_cannot_be_written_is_refused(make, words, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=words) as caught:
        check_output(make(tmp_path), overwrite=True)
    assert caught.value.hint
    assert contents(tmp_path) == before


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path):
    (tmp_path / "read-only").mkdir()
    (tmp_path / "read-only").chmod(0o500)
    with pytest.raises(OutputError, match="may not be written"):
        check_output(tmp_path / "read-only" / "a.mp4")


def links_to(path):
    """Other names of the same file."""
    symbolic, hard = path.with_name("symbolic.mp4"), path.with_name("hard.mp4")
    symbolic.symlink_to(path)
    hard.hardlink_to(path)
    roundabout = path.parent / "sub" / ".." / path.name
    (path.parent / "sub").mkdir()
    return symbolic, hard, roundabout, path


def test_an_input_is_never_an_output_under_any_name(tmp_path):
    source = write_clip(tmp_path / "in.mp4", numbered_frames(3))
    for output in links_to(source):
        with pytest.raises(OutputError, match="is also an input"):
            check_output(output, overwrite=True, inputs=[tmp_path / "other.mp4", source])


def test_too_little_space_is_told_in_megabytes(tmp_path):
    with pytest.raises(OutputError, match=r"\d+ MB free, about \d+ MB are needed"):
        check_output(tmp_path / "a.mp4", needed_bytes=1 << 60)


# While it is written


def test_the_part_file_takes_the_name_in_one_step(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with part_of(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old" and part.parent == path.parent
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError, GeneratorExit])
def test_any_exception_removes_the_part_file_and_passes_through(error, tmp_path):
    with pytest.raises(error), part_of(tmp_path / "a.bin") as part:
        part.write_bytes(b"half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_with_the_same_output_is_refused(tmp_path):
    with part_of(tmp_path / "a.bin") as part:
        part.write_bytes(b"first")
        with pytest.raises(OutputError, match=r"another run is writing a\.bin"), part_of(tmp_path / "a.bin"):
            pytest.fail("two runs write one file")
    assert (tmp_path / "a.bin").read_bytes() == b"first"


def test_a_part_file_left_by_a_killed_run_is_written_over(tmp_path):
    (tmp_path / ".a.mp4.part").write_bytes(b"x" * 1_000_000)
    film(tmp_path / "a.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert probe(tmp_path / "a.mp4").frames == 10


def test_a_link_in_place_of_the_part_file_is_not_written_through(tmp_path):
    precious = tmp_path / "precious.mp4"
    precious.write_bytes(b"precious")
    (tmp_path / ".a.mp4.part").symlink_to(precious)
    film(tmp_path / "a.mp4")
    assert precious.read_bytes() == b"precious"


def test_the_longest_name_that_a_folder_takes_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".mp4")
    film(path)
    assert probe(path).frames == 10 and list(tmp_path.iterdir()) == [path]


@contextlib.contextmanager
def file_size_limit(size):
    """The system refuses to let any file of this process grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "gif", "png"])
def test_a_full_disk_is_an_output_error_and_leaves_nothing(suffix, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 128, 128, 3), np.uint8)
    count = 1 if suffix == "png" else len(noise)
    with (
        file_size_limit(20_000),
        pytest.raises(OutputError, match="disk or its quota is full") as caught,
        VideoWriter(tmp_path / f"a.{suffix}", 128, 128, fps=25, time_base=Fraction(1, 25), crf=10) as writer,
    ):
        for i in range(count):
            writer.write(noise[i], i)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not AS_ROOT or not sys.platform.startswith("linux"), reason="needs the right to mount")
def test_a_really_full_disk_keeps_the_old_file(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        film(disk / "a.mp4", 5)
        before = (disk / "a.mp4").read_bytes()
        noise = np.random.default_rng(0).integers(0, 256, (40, 128, 128, 3), np.uint8)
        with (
            pytest.raises(OutputError, match="disk or its quota is full"),
            VideoWriter(disk / "a.mp4", 128, 128, fps=25, time_base=Fraction(1, 25), crf=10) as writer,
        ):
            for i, picture in enumerate(noise):
                writer.write(picture, i)
        assert contents(disk) == {Path("a.mp4"): before}
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full"), (errno.EDQUOT, "is full"), (errno.EACCES, "may not be written"),
        (errno.EROFS, "may not be written"), (errno.EIO, "cannot be written: Input/output error"),
    ],
)  # fmt: skip
def test_the_systems_refusals_have_words(number, words):
    error = cannot_write(Path("a.mp4"), OSError(number, os.strerror(number)))
    assert words in str(error) and error.hint


# P1: kill it at any moment

ENDLESS = """
import sys
from fractions import Fraction
from styleheat_cli.media.sound import Sound
from styleheat_cli.media.writer import VideoWriter
from tests.synthetic import numbered
print("ready", flush=True)
while True:
    with VideoWriter(sys.argv[1], 64, 96, fps=25, time_base=Fraction(1, 25), sound=Sound(sys.argv[2])) as writer:
        for i in range(60):
            writer.write(numbered(i), i)
"""


def killed(folder, song, number, delay_s):
    """The exit code of a run that writes the same file over and over and gets a signal after a while."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ENDLESS, str(folder / "a.mp4"), str(song)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as run:
        assert run.stdout.readline() == b"ready\n"
        time.sleep(delay_s)
        run.send_signal(number)
        try:
            return run.wait(20)
        except subprocess.TimeoutExpired:
            run.kill()
            raise


@pytest.mark.parametrize("times", [2, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
def test_a_killed_run_leaves_no_name_or_a_whole_file(number, times, tmp_path):
    song = synthetic.write_sound(tmp_path / "song.m4a", tone(3), codec="aac")
    dice = random.Random(number)
    for n in range(times):
        folder = tmp_path / str(n)
        folder.mkdir()
        assert killed(folder, song, number, dice.uniform(0, 0.25)) != 0
        left = {p.name for p in folder.iterdir()}
        if number != signal.SIGKILL:
            assert left <= {"a.mp4"}
        assert left <= {"a.mp4", ".a.mp4.part"}
        if "a.mp4" in left:
            clip = probe(folder / "a.mp4")
            assert [number_of(f.image) for f in frames(clip)] == list(range(60))
            assert abs(float(clip.audio.duration_s) - 2.4) < 0.1


def test_sigterm_ends_a_run_with_its_code_and_no_part_file(tmp_path):
    song = synthetic.write_sound(tmp_path / "song.m4a", tone(3), codec="aac")
    (tmp_path / "out").mkdir()
    assert killed(tmp_path / "out", song, signal.SIGTERM, 0.05) == 128 + signal.SIGTERM
    assert {p.name for p in (tmp_path / "out").iterdir()} <= {"a.mp4"}


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_that_a_callback_swallows_still_ends_the_file(number, error, tmp_path):
    with pytest.raises(error), part_of(tmp_path / "a.bin") as part:
        part.write_bytes(b"x")
        with contextlib.suppress(BaseException):  # as a C library does with what its callbacks raise
            signal.raise_signal(number)
    assert {path.name for path in tmp_path.iterdir()} <= {"a.bin"}, "a whole file, or none"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_callers_signal_handlers_are_left_alone(tmp_path):
    def own(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGTERM, own)
    try:
        with part_of(tmp_path / "a.bin") as part:
            assert signal.getsignal(signal.SIGTERM) is own
            part.write_bytes(b"x")
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


# P2: inputs stay as they are


def test_reading_and_writing_beside_leaves_inputs_untouched(tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    write_clip(given / "a.mp4", numbered_frames(20), sound=tone(1))
    synthetic.photo(given / "b.jpg")
    before, stamps = contents(given), {p: p.stat().st_mtime_ns for p in given.iterdir()}
    for path in sorted(given.iterdir()):
        path.chmod(0o444)
    given.chmod(0o555)
    try:
        clip = probe(given / "a.mp4")
        film(tmp_path / "out.mp4", sound=Sound(clip.path))
        list(frames(clip, 0.3))
        list(frames(probe(given / "b.jpg")))
        assert contents(given) == before
        assert {p: p.stat().st_mtime_ns for p in given.iterdir()} == stamps
    finally:
        given.chmod(0o755)


# P4: names are names

HOSTILE = [
    "two words.mp4", "quote'.mp4", 'double".mp4', "semi;rm -rf x.mp4", "$(touch pwned).mp4", "`touch pwned`.mp4",
    "-o.mp4", "--help.mp4", "new\nline.mp4", "tab\t.mp4", "émoji\U0001f600.mp4", "back\\slash.mp4", "%03d.mp4",
    "a:b.mp4", "http:x.mp4", "pipe:1.mp4", "concat:a|b.mp4", "*.mp4", "a?b=c&d.mp4", "#.mp4", "x" * 236 + ".mp4",
    " lead.mp4", ".hidden.mp4", "dots...mp4", "UPPER.MP4",
]  # fmt: skip


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_names(name, relative, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(name) if relative else tmp_path / name
    check_output(path)
    film(path, sound=Sound(synthetic.write_sound(tmp_path / "song.m4a", tone(1), codec="aac")))
    clip = probe(path)
    assert [number_of(f.image) for f in frames(clip)] == list(range(10)) and clip.audio
    assert {p.name for p in tmp_path.iterdir()} == {name, "song.m4a"}


def test_hostile_names_hold_for_motions_and_photos_too(tmp_path):
    motion = MotionTrack(np.zeros((2, 73), np.float32), np.array([0.0, 0.04]))
    for name in HOSTILE:
        stem = name.rsplit(".", 1)[0]
        write_motion(tmp_path / f"{stem[:230]}.safetensors", motion)
        with VideoWriter(tmp_path / f"{stem}.png", 64, 96, fps=25, time_base=Fraction(1, 25)) as writer:
            writer.write(numbered(5), 0)
        assert number_of(next(frames(probe(tmp_path / f"{stem}.png"))).image) == 5
    assert len(list(tmp_path.iterdir())) == 2 * len(HOSTILE)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_a_name_that_is_no_text_is_only_a_name(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4"))
    film(path)
    assert probe(path).frames == 10
