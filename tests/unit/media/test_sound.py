"""Sound beside pictures: the same samples at the same time, whatever it came in and whatever it goes into."""

import logging
from fractions import Fraction
from functools import cache

import av
import numpy as np
import pytest

from styleheat_cli.errors import InputError, OutputError
from styleheat_cli.media import writer as writer_module
from styleheat_cli.media.audio import samples
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.sound import Sound
from styleheat_cli.media.writer import VideoWriter
from tests import synthetic
from tests.synthetic import clicks, numbered, numbered_frames, tone, write_clip, write_sound

VP9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
SOURCES = {
    "aac.mp4": {"sound_codec": "aac"}, "aac.mkv": {"sound_codec": "aac"}, "aac.ts": {"sound_codec": "aac"},
    "mp3.mp4": {"sound_codec": "libmp3lame"}, "opus.webm": {"sound_codec": "libopus", **VP9},
    "opus.mp4": {"sound_codec": "libopus"}, "flac.mkv": {"sound_codec": "flac"}, "pcm.mov": {"sound_codec": "pcm_s16le"},
    "pcm24.mkv": {"sound_codec": "pcm_s24le"}, "ac3.mkv": {"sound_codec": "ac3"},
}  # fmt: skip
COPIED = {  # output -> the codecs that go in as they are
    "mp4": {"aac", "mp3", "opus", "ac3"}, "mov": {"aac", "mp3", "ac3", "pcm", "pcm24"},
    "mkv": {"aac", "mp3", "opus", "ac3", "flac", "pcm", "pcm24"}, "webm": {"opus"},
}  # fmt: skip


def film(path, sound, count=75, fps=25):
    """A video of numbered pictures with this sound."""
    with VideoWriter(path, 64, 96, fps=fps, time_base=1 / Fraction(fps), sound=sound) as writer:
        for i in range(count):
            writer.write(numbered(i), i)
    return path


def click_times(path):
    """Where in the file's picture time each click begins, in seconds."""
    heard, rate = samples(path)
    loud = np.flatnonzero(np.abs(heard) > 0.25)
    return loud[np.insert(np.diff(loud) > rate // 10, 0, True)] / rate


def packets(path):
    with av.open(str(path)) as source:
        return [bytes(p) for p in source.demux(source.streams.audio[0]) if p.size]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    made = {}
    for name, how in SOURCES.items():
        made[name] = write_clip(folder / name, numbered_frames(125), sound=clicks(5), **how)
    return made


@pytest.mark.parametrize(
    "start_s", [pytest.param(0, marks=pytest.mark.slow), 1.23, pytest.param(2.5, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("suffix", list(COPIED))
@pytest.mark.parametrize("source", list(SOURCES))
def test_clicks_stay_where_they_are(source, suffix, start_s, sources, tmp_path):
    made = film(tmp_path / f"a.{suffix}", Sound(sources[source], start_s))
    expected = [t - start_s for t in range(5) if t > start_s and t - start_s < 3]
    found = [t for t in click_times(made) if 0.1 < t < 2.99]
    assert len(found) == len(expected)
    # 1 ms is what mkv and webm can express; a packet is 21 ms
    assert np.abs(np.array(found) - expected).max() <= 0.0011


@pytest.mark.parametrize("suffix", list(COPIED))
@pytest.mark.parametrize("source", list(SOURCES))
def test_packets_are_copied_where_the_container_takes_them(source, suffix, sources, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "styleheat_cli"):
        made = film(tmp_path / f"a.{suffix}", Sound(sources[source]))
    copied = source.split(".")[0] in COPIED[suffix]
    given = packets(sources[source])
    same = all(packet in given for packet in packets(made))
    # MPEG-TS wraps every AAC packet in a header that other containers do without
    assert same == copied or source == "aac.ts"
    assert ("is encoded anew" in caplog.text) != copied


@pytest.mark.parametrize("start_s", [0, Fraction(21, 100), 1])
@pytest.mark.parametrize("source", ["aac.mp4", "mp3.mp4", "aac.ts"])
def test_copied_samples_are_the_same_numbers(source, start_s, sources, tmp_path):
    given, rate = samples(sources[source], start_s=float(start_s))
    made, same_rate = samples(film(tmp_path / "a.mp4", Sound(sources[source], start_s)))
    assert rate == same_rate
    count = round(2.9 * rate)
    assert np.array_equal(given[:count], made[:count])


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22050, 1), (44100, 2), (96000, 1), (48000, 6)])
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "flac"])
def test_rate_and_channels_are_kept_when_encoded_anew(codec, rate, channels, tmp_path):
    source = write_sound(tmp_path / "a.mkv", tone(3, rate, channels), rate, codec=codec)
    made = probe(film(tmp_path / "b.mp4", Sound(source), 50))
    assert (made.audio.codec, made.audio.rate, made.audio.channels) == ("aac", rate, channels)
    given, _ = samples(source, end_s=1.9)
    heard, _ = samples(tmp_path / "b.mp4", end_s=1.9)
    # the same tone, not shifted; AAC keeps only the bass of the sixth channel of 5.1
    assert np.corrcoef(given, heard)[0, 1] > (0.98 if channels < 6 else 0.85)
    assert abs(np.sqrt((heard**2).mean()) / np.sqrt((given**2).mean()) - 1) < 0.12


@pytest.mark.parametrize(
    ("codec", "rate", "channels"),
    [
        ("libmp3lame", 8000, 1), ("libmp3lame", 22050, 2), ("pcm_mulaw", 8000, 1), ("pcm_u8", 44100, 2), ("alac", 44100, 2),
        ("pcm_f32le", 48000, 2), ("eac3", 48000, 6), ("mp2", 48000, 2), ("flac", 192000, 2), ("adpcm_ima_wav", 16000, 1),
        ("flac", 48000, 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", list(COPIED))
def test_every_codec_finds_a_way_into_every_container(codec, rate, channels, suffix, tmp_path):
    name = {"alac": "a.m4a", "pcm_mulaw": "a.wav", "adpcm_ima_wav": "a.wav"}.get(codec, "a.mkv")
    layout = {3: "3.0"}.get(channels)
    source = write_sound(tmp_path / name, tone(2, rate, channels), rate, codec=codec, layout=layout)
    made = film(tmp_path / f"b.{suffix}", Sound(source), 40)
    heard, made_rate = samples(made)
    assert 1.59 < len(heard) / made_rate < 1.75 and 0.3 < np.abs(heard).max() < 0.6
    assert probe(made).audio.channels == channels


def test_a_rate_that_the_encoder_does_not_know_goes_up(tmp_path):
    source = write_sound(tmp_path / "a.wav", tone(2, 15000), 15000)
    assert probe(film(tmp_path / "b.mp4", Sound(source), 25)).audio.rate == 16000


@pytest.mark.parametrize("suffix", list(COPIED))
@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_longer_sound_is_cut_with_the_picture(codec, suffix, tmp_path):
    source = write_clip(tmp_path / "a.mkv", numbered_frames(25), sound=tone(10), sound_codec=codec)
    made = film(tmp_path / f"b.{suffix}", Sound(source), 50)
    heard, rate = samples(made)
    assert 2 <= len(heard) / rate < 2.11  # up to a packet more; one of FLAC is 96 ms
    assert probe(made).frames == 50


@pytest.mark.parametrize("suffix", list(COPIED))
@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_shorter_sound_ends_and_is_not_looped(codec, suffix, tmp_path):
    source = write_clip(tmp_path / "a.mkv", numbered_frames(75), sound=tone(1), sound_codec=codec)
    made = film(tmp_path / f"b.{suffix}", Sound(source), 75)
    heard, rate = samples(made, end_s=3)
    assert np.abs(heard[round(0.1 * rate) : round(0.9 * rate)]).max() > 0.2
    assert np.abs(heard[round(1.1 * rate) :]).max(initial=0) < 0.01
    assert probe(made).frames == 75


@pytest.mark.parametrize("suffix", list(COPIED))
@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_later_sound_stays_later(codec, suffix, tmp_path):
    source = write_clip(tmp_path / "a.mkv", numbered_frames(75), sound=clicks(2), sound_codec=codec, sound_start_s=0.5)
    made = film(tmp_path / f"b.{suffix}", Sound(source))
    found = [t for t in click_times(made) if t > 0.6]
    assert len(found) == 1 and abs(found[0] - 1.5) <= 0.0011
    heard, rate = samples(made)
    assert np.abs(heard[: round(0.4 * rate)]).max() < 0.01


def test_a_picture_that_starts_late_in_its_file_is_time_zero_for_the_sound_too(tmp_path):
    """Picture from 2 s on, sound from 0 s on: what sounds at 3 s in the file belongs to 1 s of the clip."""
    source = write_clip(tmp_path / "a.mp4", numbered_frames(75), start_s=2, sound=clicks(5))
    assert probe(source).duration_s == 3
    for suffix in ("mp4", "mkv", "webm"):
        assert np.abs(click_times(film(tmp_path / f"b.{suffix}", Sound(source)))[-2:] - [1, 2]).max() <= 0.0011
    heard = click_times(source)  # the same by reading alone
    assert np.abs(heard[-2:] - [1, 2]).max() <= 0.0011


def test_sound_can_end_early(tmp_path):
    source = write_sound(tmp_path / "a.wav", tone(5))
    made = film(tmp_path / "b.mp4", Sound(source, 1, 2), 75)
    heard, rate = samples(made, end_s=3)
    assert np.abs(heard[round(1.1 * rate) :]).max(initial=0) < 0.01 < np.abs(heard[: rate // 2]).max()


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.m4a", "a.ogg"])
def test_sound_files_without_pictures_start_with_their_first_sample(name, tmp_path):
    codec = {"wav": "pcm_s16le", "mp3": "libmp3lame", "flac": "flac", "m4a": "aac", "ogg": "libopus"}[name[2:]]
    source = write_sound(tmp_path / name, clicks(4), codec=codec)
    found = [t for t in click_times(film(tmp_path / "b.mp4", Sound(source))) if 0.1 < t < 2.99]
    assert np.abs(np.array(found) - [1, 2]).max() <= 0.0011


def test_sound_with_cover_art_is_only_sound(tmp_path):
    made = film(tmp_path / "b.mp4", Sound(synthetic.cover_art_mp3(tmp_path / "a.mp3")), 25)
    assert np.abs(samples(made)[0]).max() > 0.3


def test_a_file_without_sound_is_refused_as_sound(tmp_path):
    source = write_clip(tmp_path / "a.mp4", numbered_frames(5))
    with pytest.raises(InputError, match=r"a\.mp4 has no sound") as caught:
        film(tmp_path / "b.mp4", Sound(source), 5)
    assert "--audio-from none" in caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_span_without_sound_makes_a_silent_file_and_says_so(tmp_path, caplog):
    source = write_clip(tmp_path / "a.mp4", numbered_frames(100), sound=tone(1))
    made = film(tmp_path / "b.mp4", Sound(source, 2.5), 25)
    assert probe(made).audio is None
    assert "has no sound from 2.50 s on" in caplog.text


def test_samples_that_are_no_numbers_become_silence(tmp_path):
    wild = tone(2)
    wild[0, 10_000:12_000] = np.nan
    wild[0, 30_000:30_100] = np.inf
    source = write_sound(tmp_path / "a.wav", wild, codec="pcm_f32le")
    heard, rate = samples(film(tmp_path / "b.mp4", Sound(source), 50))
    assert np.isfinite(heard).all() and abs(len(heard) / rate - 2) < 0.03


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silence_and_a_constant_survive(level, tmp_path):
    source = write_sound(tmp_path / "a.wav", np.full((1, 96000), level, np.float32))
    heard, rate = samples(film(tmp_path / "b.mp4", Sound(source), 50))
    assert abs(heard[rate // 2 : rate].mean() - level) < 0.02


def test_lost_sound_is_a_failure(tmp_path, monkeypatch):
    source = write_clip(tmp_path / "a.mp4", numbered_frames(50), sound=tone(2))

    class Mute(writer_module.Track):
        """Takes the sound and does not write it."""

        def advance(self, until_s):
            self.end_s = Fraction(until_s)

    monkeypatch.setattr(writer_module, "Track", Mute)
    with pytest.raises(OutputError, match=r"b\.mp4 lost its sound"):
        film(tmp_path / "b.mp4", Sound(source), 50)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_damaged_sound_keeps_its_time(tmp_path):
    source = write_sound(tmp_path / "whole.flac", clicks(6), codec="flac")
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60] = bytes(range(60))
    (tmp_path / "a.flac").write_bytes(content)
    found = click_times(film(tmp_path / "b.mp4", Sound(tmp_path / "a.flac"), 150))
    assert abs(found[-1] - 5) < 0.0011


def drift(path):
    """Per flash: the click's time minus the flash's, in seconds."""
    clip = probe(path)
    flashes, lit = [], False
    for frame in frames(clip):
        bright = frame.image.mean() > 100
        if bright and not lit:
            flashes.append(float(frame.time))
        lit = bright
    heard = click_times(path)
    assert len(heard) == len(flashes)
    return heard - np.array(flashes)


@pytest.fixture(scope="module")
def flashing(tmp_path_factory):
    """Clips of flashes and clicks by their seconds, each written and measured once: where it is, and its drift."""

    @cache
    def written(seconds, every_s):
        source = synthetic.flash_and_click(tmp_path_factory.mktemp("flashes") / "a.mp4", seconds, every_s=every_s)
        return source, drift(source)

    return written


@pytest.mark.parametrize(
    ("seconds", "every_s"), [(20, 1), pytest.param(600, 10, marks=pytest.mark.slow)], ids=["20s", "10min"]
)
@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_flash_and_click_do_not_drift_apart(seconds, every_s, suffix, flashing, tmp_path):
    rate = Fraction(30000, 1001)
    source, given = flashing(seconds, every_s)
    clip = probe(source)
    with VideoWriter(
        tmp_path / f"b.{suffix}", 64, 64, fps=clip.fps, time_base=clip.time_base, sound=Sound(source)
    ) as writer:
        for frame in frames(clip):
            writer.write(frame.image, frame.pts)
    made = drift(tmp_path / f"b.{suffix}")
    # a click falls within the flash's picture; nothing moves by more than rounding
    assert (made >= -0.002).all() and (made < 1 / rate + 0.002).all()
    assert np.abs(made - given).max() <= 0.0021
