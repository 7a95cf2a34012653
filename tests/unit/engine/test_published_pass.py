"""The published family's painter at toy widths, and the bridge that tells it what to do."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data

from styleheat_cli.engine import Engine, bridge, compiled, inverting
from styleheat_cli.engine.deep3d import Deep3D, upright
from styleheat_cli.engine.inversion import Inversion, Inverter, write_inversion
from styleheat_cli.engine.published import Animator, Method, animate, motion_windows, speech_motion
from styleheat_cli.engine.published_pass import Published, alike
from styleheat_cli.engine.retarget import Controls
from styleheat_cli.engine.stream import perform
from styleheat_cli.errors import CheckpointError, InputError
from styleheat_cli.face.align import crop_image
from styleheat_cli.face.align_published import crop_face, ffhq_quad, ffhq_squares, five_points, mirrored_crop
from styleheat_cli.face.morphable import placed, rotation
from styleheat_cli.face.regions import IBUG_68
from styleheat_cli.media.audio import QUIET, emphasised
from styleheat_cli.media.pixels import to_images
from styleheat_cli.networks.calibration import CalibrationNet
from styleheat_cli.networks.hfgi import Aligner, ConsultationEncoder
from styleheat_cli.networks.recon import ReconNet
from styleheat_cli.networks.stylegan2 import Conditions, Generator
from styleheat_cli.networks.warper import AudioWarper, VideoWarper
from styleheat_cli.shot import CROP, EXPRESSION, Attribute, MotionTrack, Reading, Speech, Utterance

pytestmark = pytest.mark.usefixtures("one_thread")

RATE = 25


@pytest.fixture(scope="module")
def published():
    """An engine whose painter is the published one, its networks at toy widths; f has 16 channels at its real 64 px."""
    torch.manual_seed(0)
    widths = {"widths": (8, 8, 8, 8), "decoder": (8, 8), "descriptor": 16}
    networks = (
        Generator(size=128, style=16, mapping_layers=1, channel_multiplier=1 / 16, max_channels=16),
        VideoWarper(**widths),
        CalibrationNet(inputs=16, channels=8, descriptor=16),
    )
    engine = Engine("default", device="cpu")
    painter = engine.painter = Published(engine)
    painter.method = Method(*(network.eval().requires_grad_(False) for network in networks))
    small = (Aligner(widths=(4, 8, 8, 8)), ConsultationEncoder(widths=(4, 8, 8), channels=16))
    aligner, refiner = (network.eval().requires_grad_(False) for network in small)
    painter._refiner = Inverter(None, None, painter.method.generator, aligner, refiner)
    return engine


@pytest.fixture(scope="module")
def inversion(published):
    generator = published.painter.method.generator
    codes = torch.randn(1, generator.rows, 16, generator=torch.Generator().manual_seed(1))
    return Inversion(torch.zeros(1, 3, 256, 256), codes, generator(codes, Conditions()).f)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    from PIL import Image

    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


@pytest.fixture(scope="module")
def shot(published, photo, inversion):
    """Three frames of a photo whose head turns."""
    made = published.shot(photo)
    coeffs = np.repeat(made.own.coeffs, 3, 0)
    coeffs[:, 65] += np.radians([0, 5, 10])
    motion = made.own.with_(coeffs=coeffs, times=np.arange(3) / RATE, seen=None)
    timeline = replace(made.clip, still=False, fps=Fraction(RATE), time_base=Fraction(1, RATE))
    return made.with_(motion=motion, inversion=inversion, timeline=timeline)


def windows(engine, shot):
    told = bridge.coefficients(engine.morphable, shot, shot.face.crop[[0, 0, 0]])
    return torch.from_numpy(bridge.windows(told, shot.motion.times, range(3)))


def test_frames_are_those_of_the_method_at_the_times_of_the_motion(published, shot):
    found = list(published.render(shot, crop=True, size=512))
    with torch.no_grad():
        wanted = to_images(animate(published.painter.method, shot.inversion, windows(published, shot), size=512).image)
    assert [frame.time for frame in found] == [Fraction(row, RATE) for row in range(3)]
    assert all(np.abs(frame.image.astype(int) - image).max() <= 1 for frame, image in zip(found, wanted, strict=True))
    assert np.abs(wanted[0].astype(int) - wanted[2]).max() > 5  # the turn is seen


def test_compiling_is_asked_for_and_is_for_whole_batches(published, shot, monkeypatch):
    monkeypatch.setenv(compiled.FOLDER, "")
    monkeypatch.delenv(compiled.FOLDER)
    assert published.painter.compiled is compiled.as_it_is
    asked = Published(Engine("default", device="cpu", compiled=True))
    assert (asked.compiled.batch, asked.compiled.options) == (1, {})
    assert Path(os.environ[compiled.FOLDER]).name == "compiled"
    graphs = []
    asked.method = published.painter.method
    asked.compiled = compiled.Compiler(1, {"backend": lambda graph, _: graphs.append(graph) or graph.forward, "fullgraph": True})
    ours, plain = ([frame.image for frame in perform(painter, shot, crop=True, size=512)] for painter in (asked, published.painter))
    assert len(graphs) == 3 and all(np.array_equal(*both) for both in zip(ours, plain, strict=True))


@pytest.mark.slow  # 20 s
def test_memory_is_flat_in_the_length_of_the_clip(published, shot):
    psutil = pytest.importorskip("psutil")
    times = np.arange(200) / RATE
    coeffs = np.repeat(shot.motion.coeffs, 67, 0)[:200]
    long = shot.with_(motion=shot.motion.with_(coeffs=coeffs, times=times))
    held = [psutil.Process().memory_info().rss for _ in published.render(long, crop=True, size=512)]
    assert max(held[40:]) - max(held[:40]) < 20e6  # a second of pictures at 512 is as much


@pytest.fixture
def hearing(published, monkeypatch):
    """The same engine with an audio warper."""
    torch.manual_seed(2)
    warper = AudioWarper(widths=(8, 8, 8, 8), decoder=(8, 8), descriptor=16).eval().requires_grad_(False)
    monkeypatch.setattr(published.painter, "method", replace(published.painter.method, speech=warper))
    return published


def utterance(length_s=0.08):
    """A voice of random loudness, two frames long."""
    mel = np.random.default_rng(3).normal(-1, 1, (round(80 * length_s), 80)).astype(np.float32)
    return Speech(Path("speech.wav"), mel, 80.0, length_s)


def test_where_there_is_an_audio_warper_it_moves_the_lips_and_the_motion_leaves_them_at_rest(hearing, shot, monkeypatch):
    silent = Speech(Path("silent.wav"), np.full((10, 80), -5, np.float32), 80.0, 0.12)
    spoken = hearing.speak(shot, utterance(), 0.5)
    assert spoken.lips_from == "audio-warper" and (spoken.said.gains <= 0.5).all()
    monkeypatch.setattr(hearing.painter, "method", replace(hearing.painter.method, speech=None))
    told = hearing.speak(shot, silent)
    assert told.lips_from == "coefficients"
    assert np.array_equal(spoken.motion.coeffs, told.motion.coeffs)


def test_spoken_frames_are_those_of_the_method_with_the_windows_of_the_sound(hearing, shot):
    speech = utterance()
    said = Utterance(speech, -0.2, "audio-warper", np.array([1.0, 1.0, 0.0]), shot.motion.times)
    found = [frame.image for frame in hearing.render(shot.with_(said=said), crop=True, size=512)]
    quiet = np.full((40, 80), QUIET)
    columns = np.concatenate([emphasised(speech.mel), quiet])  # 80 a second; a frame's window begins 0.16 s before it
    mel = np.stack([columns[min(round(80 * (t + 0.2 - 0.16)), 6) :][:32].T for t in shot.motion.times])
    mel, method, moved = torch.from_numpy(mel).float(), hearing.painter.method, windows(hearing, shot)
    with torch.no_grad():
        spoken, silent = (animate(method, shot.inversion, moved, sound, size=512).image for sound in (mel, None))
        nothing = Animator(method, shot.inversion, size=512)(moved, torch.randn(3, 80, 32), torch.zeros(3))
    for row, right, wrong in ((0, spoken, nothing), (1, spoken, silent), (2, nothing, spoken)):  # nobody speaks in the last
        near, far = (np.abs(found[row].astype(int) - to_images(image[row : row + 1])[0]).mean() for image in (right, wrong))
        assert near < 0.01 < 0.2 < far, (row, near, far)


def test_speech_moves_only_the_lower_half_of_f(hearing, shot):
    picture, mel = torch.rand(2, 3, 256, 256), torch.randn(2, 80, 32)
    flow, half = (
        speech_motion(hearing.painter.method.speech, picture, mel, gain).flow for gain in (None, torch.tensor([1.0, 0.5]))
    )
    assert not flow[:, :, :32].any() and flow[:, :, 32:].abs().mean() > 0
    assert torch.equal(half[0], flow[0]) and torch.allclose(half[1], flow[1] / 2)


def test_outside_the_head_the_frame_keeps_its_pixels(published, shot):
    frame = next(iter(published.render(shot)))
    before = data.astronaut()
    x, y = np.asarray(shot.face.landmarks[0])[1, :2].astype(int)
    assert np.array_equal(frame.image[300:, :60], before[300:, :60])
    assert np.abs(frame.image[y - 4 : y + 4, x - 4 : x + 4].astype(int) - before[y - 4 : y + 4, x - 4 : x + 4]).mean() > 10


def test_attributes_over_time_are_a_few_looks(published, shot):
    rising = shot.with_(attributes=(Attribute("age", (0.0, 5.0), (0.0, 1.0)),))
    times = np.arange(100) / 100
    rising = rising.with_(motion=shot.motion.with_(coeffs=np.repeat(shot.motion.coeffs[:1], 100, 0), times=times))
    stretches = list(alike(rising, range(100)))
    assert [row for _, part in stretches for row in part] == list(range(100))
    assert len(stretches) == 21 and stretches[0][0] == () and stretches[-1][0] == (("age", 5.0),)


def test_a_direction_of_ones_own_moves_the_picture_and_a_wrong_file_is_refused(published, shot, inversion, tmp_path):
    save_file({"codes": torch.ones(16)}, tmp_path / "own.safetensors")
    save_file({"weight": torch.ones(16)}, tmp_path / "other.safetensors")
    networks, family = published.painter._refiner, published.family
    moved = inverting.with_attributes(networks, family, inversion, {tmp_path / "own.safetensors": 2.0})
    assert torch.equal(moved.codes, inversion.codes + 2) and not torch.equal(moved.f, inversion.f)
    same = inverting.with_attributes(networks, family, inversion, {tmp_path / "own.safetensors": 0.0})
    assert torch.allclose(same.f, inversion.f, atol=1e-6)
    with pytest.raises(InputError, match="no direction"):
        inverting.with_attributes(networks, family, inversion, {tmp_path / "other.safetensors": 1.0})
    with pytest.raises(CheckpointError, match="directions"):
        inverting.with_attributes(networks, family, inversion, {"old": 1.0})


def test_a_known_residual_is_brought_into_the_edited_picture(published, inversion):
    residual = 0.1 * torch.randn(1, 3, 256, 256)
    known = replace(inversion, condition=(inversion.f, inversion.f), residual=residual)
    networks = published.painter._refiner
    made = inverting.with_attributes(networks, published.family, known, {})
    condition = networks.consultation(networks.aligner(residual, inverting.resize(
        networks.generator(known.codes).image.clamp(-1, 1), 256)))  # fmt: skip
    assert torch.allclose(made.f, networks.generator(known.codes, Conditions(inversion=condition)).f)


@pytest.mark.parametrize("rate", [25, 50])
def test_a_window_is_a_second_of_motion_at_any_rate(rate):
    rows = np.random.default_rng(0).normal(size=(90, 73)).astype(np.float32)
    times = np.arange(90) / rate
    found = bridge.windows(rows, times, range(30, 40))
    step = rate // 25
    wanted = motion_windows(torch.from_numpy(rows[::step])).numpy()
    assert np.allclose(found[::step], wanted[30 // step : 40 // step], atol=1e-4)


def test_where_the_head_is_is_what_the_five_point_alignment_says(model):
    """A face whose standard points are the model's own, put into Deep3D's unit and axes: the alignment is then exact."""
    turn, scale, at = rotation(np.zeros(3)), 31.0, np.array([120.0, 110.0, 0.0])
    standard = five_points((model.mean[list(IBUG_68)] - bridge.ORIGIN) / bridge.UNIT * [1, -1, -1])
    points = placed(model.mean[None], np.array([scale]), turn[None], at[None])[0]
    wanted = crop_face(np.zeros((256, 256, 3), np.uint8), points[list(IBUG_68), :2] - 0.5, standard).crop
    coeffs = np.zeros((1, 73), np.float32)
    coeffs[0, 67:] = (at[0] - 128) / 256, (at[1] - 128) / 256, scale / 256, 256, 128, 128
    found = bridge.crop_numbers(MotionTrack(coeffs, np.zeros(1)), np.eye(2, 3)[None] / 256)
    assert np.allclose(found[0], wanted, rtol=2e-3)  # the standard face is not flat, the alignment has no camera


def test_a_square_that_leans_takes_the_lean_out_of_the_roll(model, shot):
    crop = shot.face.crop[[0, 0, 0]].astype(np.float64)
    lean = np.arctan2(crop[0, 0, 1], crop[0, 0, 0])
    straight = np.stack([upright(row) for row in crop])
    leaning, standing = (bridge.coefficients(model, shot, crops) for crops in (crop, straight))
    assert np.allclose(leaning[:, 66] - standing[:, 66], lean, atol=1e-6)
    assert np.allclose(np.delete(leaning, (66, 71, 72), 1), np.delete(standing, (66, 71, 72), 1), atol=1e-4)


def read(motion, seed):
    bfm = np.random.default_rng(seed).normal(0, 0.1, motion.coeffs.shape).astype(np.float32)
    bfm[:, CROP] = 0
    return motion.with_(reading=Reading(motion, MotionTrack(bfm, motion.times, space="bfm")))


def test_what_deep3d_reads_is_what_drives_and_an_edit_is_added_through_the_map(model, shot):
    motion = read(shot.motion, 1)
    crops = np.stack([upright(row) for row in shot.face.crop[[0, 0, 0]]])
    told = bridge.coefficients(model, shot.with_(motion=motion), crops)
    assert np.allclose(told[:, : CROP.start], motion.reading.bfm.coeffs[:, : CROP.start], atol=1e-6)
    change = np.zeros_like(motion.coeffs)
    change[:, 3] = 1
    edited = bridge.coefficients(model, shot.with_(motion=motion.with_(coeffs=motion.coeffs + change)), crops)
    assert np.allclose(edited[:, EXPRESSION] - told[:, EXPRESSION], model.deep3d[3, EXPRESSION], atol=1e-5)


def test_absolute_motion_has_the_drivers_reading_and_a_still_driver_moves_nothing(model, shot):
    own, driving = read(shot.own, 2), read(shot.motion, 3)
    made = driving.with_(reading=None)
    absolute = bridge.followed(model, own, driving, made, Controls(relative=False))
    assert np.allclose(absolute.bfm.coeffs, driving.reading.bfm.coeffs, atol=1e-6)
    still = MotionTrack(np.repeat(driving.reading.bfm.coeffs[:1], 3, 0), driving.times, space="bfm")
    still = driving.with_(reading=Reading(driving, still))
    relative = bridge.followed(model, own, still, made, Controls())
    assert np.allclose(relative.bfm.coeffs, own.reading.bfm.coeffs, atol=1e-6)
    same = bridge.followed(model, own, driving, made, Controls(anchor="source", pose_limit_deg=90))
    assert np.allclose(same.bfm.coeffs, driving.reading.bfm.coeffs, atol=1e-6)  # the source's own moment as the start
    assert bridge.followed(model, own, driving, made, Controls(region="lips")) is None
    assert bridge.followed(model, shot.own, driving, made, Controls()) is None


def test_deep3d_reads_each_frame_and_bridges_those_without_a_face(published, shot):
    torch.manual_seed(0)
    network = ReconNet(blocks=(1, 1, 1, 1), width=4).eval().requires_grad_(False)
    standard = five_points((published.morphable.mean[list(IBUG_68)] - bridge.ORIGIN) / bridge.UNIT * [1, -1, -1])
    reader = Deep3D(network, standard)
    found = reader.read(shot.own, shot.face)
    assert found.read_by == "deep3d" and found.reading.bfm.coeffs.shape == (1, 73)
    image, points = data.astronaut(), np.asarray(shot.face.landmarks[0])
    again = reader.numbers(image, points, upright(shot.face.crop[0]))
    assert np.allclose(found.reading.bfm.coeffs[0, :70], again[:70]) and np.isfinite(again).all()
    lent = reader.numbers(np.roll(image, (9, 14), (0, 1)), points + [14, 9, 0], moved(upright(shot.face.crop[0]), (14, 9)))
    assert np.allclose(lent, again, atol=1e-4)  # where the face is in the frame does not matter
    assert Deep3D.of(published.family, published.device) is None


def moved(crop, by):
    return np.column_stack([crop[:, :2], crop[:, 2] - crop[:, :2] @ by])


def test_the_ffhq_square_is_the_quadrilateral_of_the_alignment(astronaut):
    points = np.repeat(astronaut[1][None], 5, 0)
    crop = ffhq_squares(points, np.arange(5) / RATE)[2].astype(np.float64)
    quad = ffhq_quad(points[0, list(IBUG_68), :2])
    assert np.allclose(quad @ crop[:, :2].T + crop[:, 2], [[0, 0], [0, 1], [1, 1], [1, 0]], atol=1e-4)


def test_a_square_beyond_the_picture_shows_it_mirrored(astronaut):
    image = astronaut[0]
    inside, side = np.eye(2, 3) / len(image), len(image)
    assert np.array_equal(mirrored_crop(image, inside, side), crop_image(image, inside, side))
    left = np.array([[1 / side, 0, 0.25], [0, 1 / side, 0]])  # begins a quarter of its side left of the picture
    shown = mirrored_crop(image, left, side)
    assert np.array_equal(shown[:, side // 4 - 1 :: -1], image[:, : side // 4])
    assert np.array_equal(shown[:, side // 4 :], image[:, : side - side // 4])


def test_an_inversion_is_made_once_made_anew_where_damaged_and_the_oldest_are_forgotten(inversion, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(inverting, "KEPT", 2)
    made = []

    def make():
        made.append(1)
        return inversion

    for _ in range(2):
        assert torch.equal(inverting.kept("a", make).f, inversion.f)
    assert len(made) == 1
    kept = tmp_path / "styleheat" / "inversions"
    (kept / "a.safetensors").write_bytes(b"damaged")
    inverting.kept("a", make)
    assert len(made) == 2
    for name in "bc":
        for path in kept.glob("*.safetensors"):
            os.utime(path, (0, path.stat().st_mtime - 100))  # a while later
        inverting.kept(name, make)
    assert {path.name for path in kept.glob("*.safetensors")} == {"b.safetensors", "c.safetensors"}


def test_a_saved_inversion_is_of_this_face_and_family_or_refused(inversion, shot, published, tmp_path):
    path, family = tmp_path / "x.safetensors", published.family
    notes = {
        "family": family.name, "source": shot.clip.path.name, "source_digest": shot.clip.digest,
        "square": inverting.square_of(shot),
    }  # fmt: skip
    write_inversion(path, inversion, notes)
    assert torch.equal(inverting.given(path, shot, family).codes, inversion.codes)
    assert path.stat().st_mode & 0o044  # as other files that are written
    for wrong in ({"family": "styleheat"}, {"source_digest": "0"}, {"square": "200 50 80"}):
        write_inversion(path, inversion, {**notes, **wrong})
        with pytest.raises(InputError) as refused:
            inverting.given(path, shot, family)
        assert "styleheat invert astronaut.png" in refused.value.hint
    with pytest.raises(InputError, match="cannot be read"):
        inverting.given(Path(__file__), shot, family)
