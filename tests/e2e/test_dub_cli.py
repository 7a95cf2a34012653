"""`styleheat dub` from the prompt and from recipes, with the real weights, on a photo and a clip at small size."""

import numpy as np
import pytest

from styleheat_cli.media.audio import samples
from styleheat_cli.media.reader import frames, probe
from tests.synthetic import face, face_clip, photo, write_sound

pytestmark = pytest.mark.slow

SMALL = ("--crop", "--size", 64, "--device", "cpu")


@pytest.fixture
def files(tmp_path):
    """A portrait, a clip of ten frames, and 0.6 s of something like two syllables at 22,050 Hz."""
    photo(tmp_path / "alice.png", face(256))
    face_clip(tmp_path / "bob.mp4", 0.4, size=192)
    times = np.arange(round(0.6 * 22050)) / 22050
    voice = sum(np.sin(2 * np.pi * 120 * n * times) / n for n in range(1, 12)) * np.sin(np.pi * times / 0.3) ** 2
    write_sound(tmp_path / "speech.wav", 0.1 * voice[None].astype(np.float32), 22050)
    return tmp_path


def pictures(path):
    return np.stack([frame.image for frame in frames(probe(path))])


def test_a_photo_speaks_for_the_length_of_the_speech_with_the_very_samples_of_it(cli, files, one_engine):
    called = cli("dub", files / "alice.png", "--audio", files / "speech.wav", "-o", files / "out.mkv", *SMALL)
    assert called.code == 0, called.err
    clip = probe(files / "out.mkv")
    assert (clip.frames, clip.fps, clip.audio.rate) == (15, 25, 22050)
    given, made = samples(files / "speech.wav")[0], samples(files / "out.mkv")[0]
    assert np.array_equal(made[: len(given)], given)


def test_where_the_container_wants_another_codec_the_sound_stays_in_place(cli, files, one_engine):
    assert cli("dub", files / "alice.png", "--audio", files / "speech.wav", "-o", files / "out.mp4", *SMALL).code == 0
    given, made = samples(files / "speech.wav")[0], samples(files / "out.mp4")[0]
    count = min(len(given), len(made))
    assert probe(files / "out.mp4").audio.rate == 22050 and abs(len(given) - len(made)) <= 1024
    noise = np.square(given[:count] - made[:count]).mean()
    assert 10 * np.log10(np.square(given).mean() / noise) > 30


def test_the_seed_decides_how_the_head_moves_and_still_keeps_it(cli, files, one_engine):
    def made(*options):
        output = files / f"{'-'.join(map(str, options)) or 'plain'}.mkv"
        assert cli("dub", files / "alice.png", "--audio", files / "speech.wav", "-o", output, "--crf", 0, *SMALL, *options).code == 0
        return pictures(output).astype(int)

    plain, again, still = made(), made("--seed", 0), made("--still")
    forehead = np.s_[:, 8:16, 20:44]
    assert (plain == again).all()
    assert np.abs(still[forehead] - still[0][forehead[1:]]).max() <= 2
    assert np.abs(plain[-1][forehead[1:]] - plain[0][forehead[1:]]).mean() > 1


def test_a_dubbed_clip_is_its_own_above_the_nose(cli, files, one_engine):
    called = cli("dub", files / "bob.mp4", "--audio", files / "speech.wav", "--fit", "trim", "-o", files / "out.mkv", "--crf", 0)
    assert called.code == 0, called.err
    before, after = pictures(files / "bob.mp4").astype(int), pictures(files / "out.mkv").astype(int)
    assert before.shape == after.shape
    changed = np.abs(before - after).max((0, 3))
    assert changed[: len(changed) * 2 // 5].max() <= 3, "only colours' rounding on their way into the file"


def test_another_length_is_refused_with_a_suggestion(cli, files, one_engine):
    called = cli("dub", files / "bob.mp4", "--audio", files / "speech.wav", "-o", files / "out.mp4")
    assert called.code == 3 and "speech.wav lasts 0.60 s, the video 0.40 s" in called.err and "--fit trim" in called.err
    assert not (files / "out.mp4").exists()


@pytest.mark.parametrize(
    ("name", "source", "step", "count"),
    [
        ("dub", "alice.png", {}, 15),
        ("dub-with-pose", "alice.png", {"driving": "bob.mp4"}, 15),
        ("redub-a-video", "bob.mp4", {}, 15),
    ],
)
def test_the_recipes_run(cli, files, one_engine, name, source, step, count):
    from pathlib import Path

    recipe = Path(__file__).parents[2] / "recipes" / "edit" / f"{name}.yaml"
    settings = {"source": files / source, "steps.0.audio": files / "speech.wav", "output": files / "out.mp4",
                "render.crop": "true", "render.size": 64} | {f"steps.0.{key}": files / value for key, value in step.items()}  # fmt: skip
    if name == "redub-a-video":
        settings["source.path"] = settings.pop("source")
    called = cli("run", recipe, "--device", "cpu", *(part for key, value in settings.items() for part in ("--set", f"{key}={value}")))
    assert called.code == 0, called.err
    assert probe(files / "out.mp4").frames == count and probe(files / "out.mp4").audio is not None
