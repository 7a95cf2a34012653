"""Sound as numbers: the right samples at the right time, and a mel picture that shows what is heard."""

import numpy as np
import pytest

from styleheat_cli.errors import InputError
from styleheat_cli.media.audio import BANDS, QUIET, emphasised, log_mel, samples
from tests import synthetic
from tests.synthetic import clicks, numbered_frames, tone, write_clip, write_sound


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.m4a", "a.ogg", "a.mkv"])
def test_any_container_gives_the_same_tone(name, tmp_path):
    codec = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "m4a": "aac", "ogg": "libopus", "mkv": "ac3"}
    given = tone(2)
    found, rate = samples(write_sound(tmp_path / name, given, codec=codec[name[2:]]), end_s=1.9)
    assert rate == 48000 and found.dtype == np.float32 and found.shape == (91200,)
    assert np.corrcoef(found, given[0, :91200])[0, 1] > 0.99


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (96000, 1), (48000, 6)])
def test_any_rate_is_resampled_in_place(rate, channels, tmp_path):
    path = write_sound(tmp_path / "a.wav", np.repeat(clicks(4, rate), channels, 0), rate, codec="pcm_s24le")
    found, same = samples(path, 16000)
    starts = np.flatnonzero(np.abs(found) > 0.3)
    starts = starts[np.insert(np.diff(starts) > 1600, 0, True)]
    assert same == 16000 and abs(len(found) - 64000) <= 16
    assert np.abs(starts / 16000 - [0, 1, 2, 3]).max() < 0.001


def test_channels_are_mixed_evenly(tmp_path):
    both = np.stack([np.full(48000, 0.6), np.full(48000, -0.2)]).astype(np.float32)
    found, _ = samples(write_sound(tmp_path / "a.wav", both))
    assert np.abs(found - 0.2).max() < 1e-4


def test_a_span_is_cut_at_the_sample(tmp_path):
    ramp = np.linspace(-0.9, 0.9, 48000, dtype=np.float32)[None]
    path = write_sound(tmp_path / "a.wav", ramp, codec="pcm_f32le")
    whole, _ = samples(path)
    part, _ = samples(path, start_s=0.25, end_s=0.5)
    assert np.array_equal(part, whole[12000:24000])


def test_time_zero_is_the_first_picture(tmp_path):
    path = write_clip(tmp_path / "a.mkv", numbered_frames(50), start_s=1, sound=clicks(3), sound_codec="flac")
    found, rate = samples(path)
    assert abs(np.flatnonzero(np.abs(found) > 0.3)[0] / rate - 0.0) < 0.002
    assert abs(len(found) / rate - 2) < 0.1


def test_late_sound_begins_with_silence(tmp_path):
    path = write_clip(tmp_path / "a.mkv", numbered_frames(50), sound=tone(1), sound_codec="flac", sound_start_s=0.5)
    found, rate = samples(path)
    assert np.abs(found[: int(0.49 * rate)]).max() < 1e-3
    assert np.abs(found[int(0.51 * rate) : int(0.6 * rate)]).max() > 0.3


def test_what_is_no_number_is_silence(tmp_path):
    wild = tone(1)
    wild[0, 100] = np.nan
    found, _ = samples(write_sound(tmp_path / "a.wav", wild, codec="pcm_f32le"))
    assert np.isfinite(found).all()


def test_a_film_without_sound_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.mp4 has no sound"):
        samples(write_clip(tmp_path / "a.mp4", numbered_frames(3)))


def test_a_span_after_the_end_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no sound from 5\.00 s on"):
        samples(write_sound(tmp_path / "a.wav", tone(1)), start_s=5)


def test_damaged_files_are_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF" + bytes(50))
    with pytest.raises(InputError, match=r"a\.wav"):
        samples(tmp_path / "a.wav")


def test_mel_has_eighty_bands_and_eighty_rows_a_second():
    mel = log_mel(tone(2, 16000)[0], 16000)
    assert mel.shape == (161, BANDS) == (161, 80) and mel.dtype == np.float32


def test_mel_shows_a_tone_in_its_band_and_silence_on_the_floor():
    import librosa

    centres = librosa.mel_frequencies(82, fmin=55, fmax=7600)[1:-1]
    for hz in (220, 880, 3000):
        mel = log_mel(tone(1, 16000, hz=hz)[0], 16000)
        assert abs(int(mel[40].argmax()) - int(np.abs(centres - hz).argmin())) <= 1
    assert np.allclose(log_mel(np.zeros(16000, np.float32), 16000), -5)


def test_mel_rows_are_centred_on_their_time():
    sound = np.zeros(16000, np.float32)
    sound[8000:8010] = 1
    loudness = log_mel(sound, 16000).mean(axis=1)
    loudest = np.flatnonzero(loudness >= loudness.max() - 1e-3)
    assert abs(loudest.mean() - 8005 / 200) < 1


def test_loudness_is_a_shift_of_the_logarithm():
    soft, loud = (log_mel(tone(1, 16000, level=level)[0], 16000) for level in (0.04, 0.4))
    band = int(loud[40].argmax())
    assert abs((loud - soft)[10:70, band].mean() - 1) < 0.01


def test_real_speech_is_read(shared):
    paths = sorted((shared / "data" / "audio").iterdir())[:8]
    assert paths
    for path in paths:
        found, rate = samples(path, 16000, end_s=5)
        assert rate == 16000 and 16000 < len(found) <= 80000
        assert 0.001 < np.sqrt((found**2).mean()) < 0.5
        mel = log_mel(found, rate)
        assert mel.std() > 0.3, "speech has structure"


def test_synthetic_face_clip_has_sound(tmp_path):
    found, rate = samples(synthetic.face_clip(tmp_path / "a.mp4", 1))
    assert abs(len(found) / rate - 1) < 0.05


def test_a_long_sound_gives_the_rows_of_its_parts():
    noise = np.random.default_rng(0).normal(0, 0.1, 200 * 5200).astype(np.float32)
    whole, start = log_mel(noise, 16000), log_mel(noise[: 200 * 4900], 16000)
    assert whole.shape == (5201, BANDS)
    assert np.abs(whole[:4890] - start[:4890]).max() < 1e-5
    later = log_mel(noise[200 * 4000 :], 16000)
    assert np.abs(whole[4010:] - later[10:]).max() < 1e-5


def test_emphasised_rows_are_those_of_the_emphasised_sound():
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    noise *= np.linspace(0, 1, 16000, dtype=np.float32)
    exact = 20 * log_mel(np.append(noise[:1], noise[1:] - 0.97 * noise[:-1]), 16000)
    exact = (8 * (exact + 80) / 100 - 4).clip(-4, 4)  # decibels from -80 to 20 on -4 to 4
    found = emphasised(log_mel(noise, 16000))
    assert np.abs(found - exact).mean() < 0.02  # the emphasis is that of a band's centre
    assert np.ptp(exact.mean(0)) > 1 and (emphasised(np.full((3, 80), -5.0)) == QUIET).all()
