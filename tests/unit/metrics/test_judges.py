"""Judges: found when their files are there, named when absent; their networks have the published layouts."""

from collections import deque

import numpy as np
import pytest
import torch

from styleheat_cli.checkpoints import load_family
from styleheat_cli.checkpoints.convert import write_stored
from styleheat_cli.checkpoints.store import digest_of
from styleheat_cli.metrics.compare import compare
from styleheat_cli.metrics.judges import ARCFACE_POINTS, FAMILY, Judges, aligned
from styleheat_cli.metrics.moments import How, Pair
from styleheat_cli.metrics.speech import Heard
from styleheat_cli.metrics.syncnet import mel_filters, mfcc
from styleheat_cli.networks.judges import InceptionFeatures, PerceptualFeatures, PerceptualHeads, SyncNet
from styleheat_cli.networks.published import ARCHITECTURES
from tests.served import Published
from tests.synthetic import face_frames, tone, write_clip

ROLES = ("inception", "perceptual-alex", "perceptual-vgg", "identity", "sync")


@pytest.fixture
def random_judges(tmp_path, monkeypatch):
    """The family's manifest beside weights drawn from a seed, as if they had been fetched."""
    family = load_family(FAMILY)
    torch.manual_seed(0)
    text = family.manifest.read_text("utf-8")
    for component in family.components.values():
        net = ARCHITECTURES[component.architecture](**component.config)
        path = tmp_path / component.file
        write_stored(path, net.state_dict())
        line = f'file = "{component.file}"'
        text = text.replace(line, f'{line}\nsha256 = "{digest_of(path).sha256}"')
    (tmp_path / "judges.toml").write_text(text, "utf-8")
    monkeypatch.setenv("STYLEHEAT_CHECKPOINTS", str(tmp_path))
    return tmp_path


def test_the_manifest_names_address_and_licence_of_every_role():
    family = load_family(FAMILY)
    assert set(ROLES) <= set(family.components)
    for component in family.components.values():
        source = family.sources[component.source]
        assert source.url.startswith("http") and source.licence
        assert len(source.sha256) == 64 or component.role == "identity"
        assert component.architecture in ARCHITECTURES and component.optional


def test_absent_judges_say_which_command_brings_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    judges = Judges()
    for role in ROLES:
        assert judges.why_absent(role) == f"needs {role} (styleheat checkpoints fetch judges)"
    assert judges.why_absent("deep3d").endswith("(styleheat checkpoints fetch styleheat --role recon --role standard_face)")


ALEX = {"alexnet": "perceptual-alex", "lpips-alex": "perceptual-alex-heads"}


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The judges' own manifest, LPIPS by AlexNet at an address on loopback: published layouts, numbers from a seed."""
    family, folder = load_family(FAMILY), tmp_path / "published"
    folder.mkdir()
    server = Published(folder)
    text = family.manifest.read_text("utf-8")
    torch.manual_seed(0)
    for key, role in ALEX.items():
        source, component = family.sources[key], family.components[role]
        torch.save(ARCHITECTURES[component.architecture](**component.config).state_dict(), folder / source.name)
        digest = digest_of(folder / source.name)
        text = text.replace(source.url, f"{server.address}/{source.name}").replace(source.sha256, digest.sha256)
        text = text.replace(f"size = {source.size}\n", f"size = {digest.size}\n")
    (tmp_path / "judges.toml").write_text(text, "utf-8")
    monkeypatch.setenv("STYLEHEAT_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.mark.usefixtures("one_thread")
def test_a_judge_comes_by_the_command_and_its_metric_is_measured_then(served, tmp_path, capfd):
    from styleheat_cli.app import run

    clip = write_clip(tmp_path / "a.mp4", face_frames(3))
    measure = ["metrics", "--generated", str(clip), "--reference", str(clip), "--only", "lpips-alex", "-q"]
    fetch = ["checkpoints", "fetch", "judges", *(f"--role={role}" for role in ALEX.values()), "--accept-license"]
    assert run(measure) == 0
    assert "not measured: lpips-alex[v0.1]: needs perceptual-alex (styleheat checkpoints fetch judges)" in capfd.readouterr().out
    served.faults["alexnet-owt-7be5be79.pth"] = deque(["flip"])
    assert run(fetch) == 5 and "is damaged or not the expected file" in capfd.readouterr().err
    assert run(fetch) == 0
    assert run(measure) == 0
    assert capfd.readouterr().out.splitlines()[-1].split()[2:] == ["0", "3", "frames"]


@pytest.fixture
def one_thread():
    """Two threads of one network wait for each other where the machine is busy; here there is little to share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_with_weights_every_judged_metric_gives_a_number_and_a_clip_is_like_itself(random_judges, tmp_path):
    clip = write_clip(tmp_path / "a.mp4", face_frames(12), sound=tone(0.6))
    only = ("fid", "lpips-alex", "lpips-vgg", "csim", "sync")
    pooled = {}
    found = compare(Pair(clip, clip), How(only), pooled=pooled)
    read = {r.name.split("[")[0]: r for r in [*found.readings, *pooled["fid"].readings()]}
    assert read["fid"].value == pytest.approx(0, abs=1e-3) and read["fid"].samples == 12
    assert read["lpips-alex"].value == read["lpips-vgg"].value == 0
    assert read["csim"].value == pytest.approx(1, abs=1e-5)
    assert np.isfinite(read["sync-conf"].value) and read["sync-dist"].value > 0


@pytest.mark.usefixtures("one_thread")
def test_inception_has_the_published_layout():
    net = InceptionFeatures()
    state = net.state_dict()
    assert sum(p.numel() for p in net.parameters()) == 21_785_568  # Inception v3 without heads
    assert state["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)
    assert net.eval()(torch.zeros(1, 3, 80, 80)).shape == (1, 2048)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("backbone", "convolutions"),
    [("alex", (0, 3, 6, 8, 10)), ("vgg", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28))],
)
def test_lpips_has_the_published_layout_and_is_0_for_one_picture(backbone, convolutions):
    torch.manual_seed(0)
    features, heads = PerceptualFeatures(backbone), PerceptualHeads(backbone).eval()
    assert {int(key.split(".")[1]) for key in features.state_dict()} == set(convolutions)
    assert list(heads.state_dict()) == [f"lin{k}.model.1.weight" for k in range(5)]
    a, b = torch.rand(2, 1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        assert heads(features(a), features(a)) == 0
        found = heads(features(a), features(b))
        expected = 0
        for k, (x, y) in enumerate(zip(features(a), features(b), strict=True)):
            weights = heads.state_dict()[f"lin{k}.model.1.weight"][0, :, 0, 0]
            expected += (((x - y) ** 2)[0] * weights[:, None, None]).sum(0).mean()
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_lpips_agrees_with_the_library_where_it_is_installed():
    lpips = pytest.importorskip("lpips", reason="the lpips package is not installed: no parity with it here")
    theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    features, heads = PerceptualFeatures("alex"), PerceptualHeads("alex").eval()
    names = [key for key in theirs.state_dict() if key.startswith("net.")]
    features.load_state_dict(dict(zip(features.state_dict(), (theirs.state_dict()[n] for n in names), strict=True)))
    heads.load_state_dict({k: theirs.state_dict()[k] for k in heads.state_dict()})
    a, b = torch.rand(2, 1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        assert float(heads(features(a), features(b))) == pytest.approx(float(theirs(a, b)), rel=1e-4)


@pytest.mark.usefixtures("one_thread")
def test_syncnet_has_the_published_layout():
    net, keys = SyncNet().eval(), SyncNet().state_dict()
    assert keys["netcnnaud.18.weight"].shape == (512, 256, 5, 4)
    assert keys["netcnnlip.0.weight"].shape == (96, 3, 5, 7, 7) and keys["netcnnlip.18.weight"].shape == (
        512,
        256,
        1,
        6,
        6,
    )
    assert keys["netfclip.3.weight"].shape == (1024, 512)
    with torch.no_grad():
        assert net.see(torch.zeros(1, 3, 5, 224, 224)).shape == (1, 1024)
        assert net.hear(torch.zeros(1, 1, 13, 20)).shape == (1, 1024)


def test_arcface_sees_the_eyes_where_it_expects_them():
    face = np.zeros((478, 3))
    eyes = np.array([[200.0, 210.0], [260.0, 208.0]])
    for (outer, inner), eye in zip(((33, 133), (362, 263)), eyes, strict=True):
        face[outer, :2], face[inner, :2] = eye - np.array((10, 0)), eye + np.array((10, 0))
    face[4, :2], face[61, :2], face[291, :2] = (231, 245), (207, 280), (256, 279)
    image = np.zeros((480, 480, 3), np.uint8)
    for x, y in eyes.astype(int):
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
    crop = aligned(image, face)
    for x, y in ARCFACE_POINTS[:2].round().astype(int):
        assert crop[y - 2 : y + 3, x - 2 : x + 3].max() > 100


def test_mfcc_of_a_tone_has_its_energy_and_its_filter():
    rate = 16_000
    sound = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    rows = mfcc(sound, rate)
    assert rows.shape == (99, 13)
    # Parseval on a real frame: half the spectrum holds half the power; pre-emphasis at 1 kHz is |1 - 0.97 exp(-iw)|²
    gain = abs(1 - 0.97 * np.exp(-2j * np.pi * 1000 / rate)) ** 2
    expected = np.log((0.5 * 32768) ** 2 / 2 * 400 / 2 * gain)
    assert rows[10:20, 0] == pytest.approx(expected, abs=0.02)
    filters = mel_filters(rate)
    assert filters.shape == (26, 257) and filters.max() == 1
    assert filters[:, 32].argmax() in (9, 10, 11)  # 1 kHz is bin 32; half of 2840 mel is 1000 mel of 26 filters' way


def test_a_file_without_sound_cannot_be_listened_to(tmp_path):
    from styleheat_cli.errors import InputError

    clip = write_clip(tmp_path / "mute.mp4", face_frames(3))
    with pytest.raises(InputError, match="has no sound"):
        _ = Heard(clip).level
