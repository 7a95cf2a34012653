"""From a publisher's server to frames, at the prompt: published files made by the rule, fetched over bad connections."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import deque
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from styleheat_cli.checkpoints import load_family
from styleheat_cli.engine import Engine, bridge
from styleheat_cli.engine.inversion import read_inversion
from styleheat_cli.engine.published import Animator, animate
from styleheat_cli.media.audio import QUIET, RATE, emphasised, samples, write_wav
from styleheat_cli.media.pixels import to_images
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.writer import VideoWriter
from styleheat_cli.ops import Scope, edits
from tests.cli.conftest import Called, cli
from tests.served import Published

from .fixture import Fixture
from .golden import parity_folder
from .published_files import publish

__all__ = ["Called", "cli"]

pytestmark = pytest.mark.slow  # two minutes: 1.4 GB are written, fetched and converted, six frames made at 1024

NEEDED = ("generator", "encoder", "refiner", "motion")
MEMORY_MB = 4000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The published files of the roles that frames need, served."""
    if parity_folder() is None:
        pytest.skip("no parity fixtures: set STYLEHEAT_SHARED, or lay them beside the repository as ../shared/parity")
    folder = tmp_path_factory.mktemp("published")
    publish(Fixture(parity_folder(), 1234), folder, NEEDED)
    served = Published(folder)
    yield served
    served.server.shutdown()
    served.server.server_close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def place(server, tmp_path_factory):
    """A folder with the family's manifest, addresses on loopback; `store` in it is where files go."""
    folder = tmp_path_factory.mktemp("place")
    family = load_family("styleheat")
    text = family.manifest.read_text("utf-8")
    for key, source in family.sources.items():
        text = text.replace(f'url = "{source.url}"', f'url = "{server.address}/{source.name}"' if key in NEEDED else "")
    (folder / "styleheat.toml").write_text(text, "utf-8")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def own_cache(place, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("STYLEHEAT_CHECKPOINTS", str(place / "store"))


@pytest.fixture(scope="module")
def clip(shared, tmp_path_factory):
    """Two frames of a real clip, half a second apart."""
    path = tmp_path_factory.mktemp("clip") / "driving.mp4"
    real = probe(shared / "data" / "videos" / "eamm_MEAD_happy.mp4")
    shown = [frame.image for frame in frames(real, 0, 0.6)]
    with VideoWriter(path, real.height, real.width, fps=real.fps, time_base=1 / real.fps) as writer:
        for at, image in enumerate((shown[0], shown[-1])):
            writer.write(image, at)
    return path


def fetch(cli, place, *arguments):
    return cli("checkpoints", "fetch", place / "styleheat.toml", "--folder", place / "store", *arguments)


def test_nothing_is_fetched_before_the_terms_are_accepted(cli, server, place):
    called = fetch(cli, place)
    assert called.code == 5 and "non-commercial" in called.err and "--accept-license" in called.err
    assert not server.requests


def test_what_the_server_lacks_or_mixes_up_is_refused_with_the_way_on(cli, server, place):
    server.faults["hfgi.pth"] = deque(["404"])
    called = fetch(cli, place, "--role", "refiner", "--accept-license")
    assert called.code == 5 and "404" in called.err and "styleheat checkpoints import FOLDER" in called.err
    right, wrong = server.folder / "hfgi.pth", server.folder / "StyleHEAT_visual.pt"
    right.rename(server.folder / "kept")
    os.link(wrong, right)
    called = fetch(cli, place, "--role", "refiner")
    right.unlink()
    (server.folder / "kept").rename(right)
    assert called.code == 5 and "not the styleheat aligner" in called.err
    assert not list((place / "store" / "styleheat").glob("refiner*"))


def test_a_cut_connection_goes_on_and_a_flipped_bit_is_found(cli, server, place):
    server.faults["StyleGAN_e4e.pth"] = deque(["cut"])
    assert fetch(cli, place).code == 0  # the terms were accepted before: nobody is asked again
    assert ("StyleGAN_e4e.pth", None) in server.requests
    assert any(name == "StyleGAN_e4e.pth" and began for name, began in server.requests)
    count = len(server.requests)
    assert fetch(cli, place).code == 0 and len(server.requests) == count
    (place / "store" / "styleheat" / "refiner.safetensors").unlink()
    server.faults["hfgi.pth"] = deque(["flip"])
    called = fetch(cli, place, "--role", "refiner")
    assert called.code == 5 and "damaged" in called.err and "rm styleheat --forget" in called.err
    assert fetch(cli, place, "--role", "refiner").code == 0


def test_what_was_fetched_is_verified_and_found(cli, place):
    called = cli("checkpoints", "verify", "styleheat", "--json")
    assert called.code == 0
    ready = {row["role"] for row in called.json["styleheat"] if row["state"] == "ready"}
    assert ready == {"generator", "encoder", "average_code", "aligner", "refiner", "motion", "calibration"}
    assert cli("checkpoints", "path", "styleheat", "--role", "motion").out.strip().endswith("motion.safetensors")


@pytest.fixture(scope="module")
def made(place):
    return place / "made.mkv"


def test_a_clip_is_made_at_1024_in_under_4_gb(cli, place, shared, clip, made):
    photo = shared / "data" / "portraits" / "ScarlettJohansson_4.jpg"
    words = ["reenact", photo, "-d", clip, "--weights", "styleheat", "--crop", "--size", "1024", "--codec", "ffv1", "-o", made, "--json"]
    code = "import sys; from styleheat_cli.app import run; from styleheat_cli.commands.bench import peak_mb; code = run(sys.argv[1:])"
    called = subprocess.run([sys.executable, "-c", f"{code}; print(peak_mb(), file=sys.stderr); sys.exit(code)", *words],
                            capture_output=True, text=True)  # fmt: skip
    assert called.returncode == 0, called.stderr
    told = json.loads(called.stdout)
    assert told["frames"] == 2 and told["size"] == [1024, 1024] and told["motion_from"] == "landmarks"
    assert json.loads(cli("inspect", made, "--json").out)["motion_from"] == "landmarks"
    assert int(called.stderr.split()[-1]) < MEMORY_MB


def test_in_the_full_frame_only_the_head_is_another(cli, place, shared, clip):
    photo, output = shared / "data" / "portraits" / "ScarlettJohansson_4.jpg", place / "full.mkv"
    called = cli("reenact", photo, "-d", clip, "--weights", "styleheat", "--codec", "ffv1", "-o", output, "-v")
    assert called.code == 0 and "through the estimated map" in called.err
    before, after = (next(iter(frames(probe(path)))).image.astype(int) for path in (photo, output))
    away = np.abs(before - after).max(2)
    points = Engine("styleheat").shot(photo).face.landmarks[0]
    x, y = points[1, :2].round().astype(int)
    assert away[:20, :20].max() <= 3 and away[-20:, :20].max() <= 3  # the way to YUV and back
    assert away[y - 5 : y + 5, x - 5 : x + 5].mean() > 20  # no face comes of these weights


def test_its_frames_are_those_of_the_method_step_by_step(place, shared, clip, made):
    engine = Engine("styleheat")
    shot = engine.shot(shared / "data" / "portraits" / "ScarlettJohansson_4.jpg")
    shot = edits()["reenact"](driving=clip).apply(shot, engine, Scope())
    told = bridge.coefficients(engine.morphable, shot, shot.face.crop[[0, 0]])
    window = torch.from_numpy(bridge.windows(told, shot.motion.times, range(1, 2)))
    inversion, _ = read_inversion(next((place / "cache" / "styleheat" / "inversions").iterdir()))
    with torch.no_grad():
        wanted = to_images(animate(engine.painter.method, inversion, window, size=1024).image)[0]
    first, second = (np.abs(frame.image.astype(int) - wanted).mean() for frame in frames(probe(made)))
    assert second < 1 and first > 3 * second, (first, second)  # lossless but for the way to YUV and back


@pytest.fixture
def voiced(cli, place, tmp_path):
    """A folder of weights that has an audio warper, too."""
    store, files = tmp_path / "store", tmp_path / "files"
    shutil.copytree(place / "store" / "styleheat", store / "styleheat", copy_function=os.symlink)
    files.mkdir()
    publish(Fixture(parity_folder(), 1234), files, ["speech"])
    assert cli("checkpoints", "import", files, "--folder", store, "--accept-license").code == 0
    return store


def test_a_photo_speaks_through_the_audio_warper_where_there_is_one(cli, place, shared, voiced, tmp_path):
    photo, speech = shared / "data" / "portraits" / "ScarlettJohansson_4.jpg", tmp_path / "speech.wav"
    write_wav(speech, samples(shared / "data" / "audio" / "aaai22_trump.flac", RATE, 1.0, 1.4)[0])
    called = cli("dub", photo, "--audio", speech, "--weights", "styleheat", "--checkpoints", voiced, "--crop", "--size", "1024",
                 "--fps", "5", "--codec", "ffv1", "-o", tmp_path / "made.mkv", "--json", "-v")  # fmt: skip
    assert called.code == 0 and called.json["lips_from"] == "audio-warper" and "lips: the audio warper" in called.err
    assert json.loads(cli("inspect", tmp_path / "made.mkv", "--json").out)["lips_from"] == "audio-warper"
    engine = Engine("styleheat", checkpoints=voiced)
    shot = edits()["dub"](audio=speech).apply(engine.shot(photo), engine, Scope(still=True, rate=Fraction(5)))
    told = bridge.coefficients(engine.morphable, shot, shot.face.crop[[0, 0]])
    rows = emphasised(engine.hear(speech).mel)
    mel = torch.from_numpy(np.stack([rows[:32].T, np.pad(rows, ((0, 8), (0, 0)), constant_values=QUIET)[3:35].T]))
    gain = torch.tensor(shot.said.gains).float()
    source, _ = read_inversion(next((place / "cache" / "styleheat" / "inversions").iterdir()))
    animator = Animator(engine.painter.method, source)
    wanted, silent = (
        to_images(animator(torch.from_numpy(bridge.windows(told, shot.motion.times, range(2))), mel, each)) for each in (gain, 0 * gain)
    )
    for frame, image, other in zip(frames(probe(tmp_path / "made.mkv")), wanted, silent, strict=True):
        right, wrong = (np.abs(frame.image.astype(int) - each).mean() for each in (image, other))
        assert right < 1 and wrong > 3 * right, (right, wrong, gain)


@pytest.mark.parametrize("fault", ["truncated", "missing", "other"])
def test_weights_that_cannot_be_used_are_told_before_anything_is_loaded(cli, place, shared, clip, tmp_path, fault):
    store = tmp_path / "store" / "styleheat"
    shutil.copytree(place / "store" / "styleheat", store, copy_function=os.symlink)
    if fault != "other":
        (store / "encoder.safetensors").unlink()
    if fault == "truncated":
        (store / "encoder.safetensors").write_bytes(b"\0" * 1000)
    called = cli("reenact", shared / "data" / "portraits" / "ScarlettJohansson_4.jpg", "-d", clip, "-o", tmp_path / "x.mp4",
                 "--weights", "stileheat" if fault == "other" else "styleheat", "--checkpoints", store.parent)  # fmt: skip
    assert called.code == 5
    if fault == "other":
        assert "no family of weights is called 'stileheat'" in called.err and "styleheat" in called.err
    else:
        assert ("has 1000 bytes" if fault == "truncated" else "lack") in called.err
        assert "styleheat checkpoints fetch styleheat" in called.err
    assert not Path(tmp_path / "x.mp4").exists()
