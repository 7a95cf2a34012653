"""Sound as numbers: mono samples of any file, and the log-mel picture of speech."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from ..errors import InputError
from ..shot import Speech
from .container import opened, sound_stream
from .sound import blocks
from .timeline import seconds, until_broken, zero_of

BANDS = 80  # the paper's acoustic features
HOP = 200  # samples: 80 rows a second at 16 kHz
WINDOW = 800  # samples
ROWS_AT_ONCE = 4800  # of the mel: memory stays flat in the sound's length
LOWEST_HZ, HIGHEST_HZ = 55, 7600
FLOOR = 1e-5  # of the mel magnitude, so that silence has a logarithm
RATE = 16_000  # samples a second at which speech is heard
QUIETEST = -2.0  # log10 of the mel magnitude of a voice's louder moments; a sound that stays under it is no voice
EMPHASIS = 0.97  # share of the sample before that is taken off of each, where high tones are emphasised
QUIET = -4.0  # of emphasised rows where nothing sounds
DEEPEST = 4.0  # of the same logarithm, under the louder moments: nothing below is told apart


def _sound_of(source: InputContainer, path: Path) -> av.AudioStream:
    """The sound stream of an open file. Raises InputError where it has none."""
    stream = sound_stream(source)
    if stream is None:
        raise InputError(f"{path.name} has no sound", file=path, hint="give a file with sound, such as wav, mp3 or mp4")
    return stream


def samples(
    path: Path | str, rate: int | None = None, start_s: float = 0, end_s: float | None = None
) -> tuple[np.ndarray, int]:
    """((n,) float32 mono in about [-1, 1], samples per second) of a file's sound between two times.

    Times count as in `Clip`: 0 is the first picture, or the first sample of a file without pictures. Where sound starts
    later than asked, silence stands in for it; where it ends earlier, so does the result. `rate` None keeps the file's.
    """
    path = Path(path)
    origin = zero_of(path)
    with opened(path) as source:
        stream = _sound_of(source, path)
        rate = rate or stream.codec_context.sample_rate
        length = None if end_s is None else round((seconds(end_s) - seconds(start_s)) * rate)
        pieces = _mono(source, stream, path, rate, origin + seconds(start_s), length)
        found = _joined(pieces, length)
    if not len(found):
        raise InputError(f"{path.name} has no sound from {float(start_s):.2f} s on", file=path, hint="check --start and --end")
    return np.nan_to_num(found), rate


def _mono(source, stream, path: Path, rate: int, start_s: Fraction, length: int | None):
    for position, piece in blocks(source, stream, path, rate=rate, layout=None, start_s=start_s):
        if length is not None and position >= length:
            return
        yield position, piece.mean(axis=0)


def _joined(pieces, length: int | None) -> np.ndarray:
    """All pieces at their positions, zeros between them, cut at `length`."""
    placed = list(pieces)
    if not placed:
        return np.zeros(0, np.float32)
    total = placed[-1][0] + len(placed[-1][1])
    joined = np.zeros(total, np.float32)
    for position, piece in placed:
        joined[position : position + len(piece)] = piece
    return joined[:length]


def log_mel(samples: np.ndarray, rate: int, *, bands: int = BANDS, hop: int = HOP) -> np.ndarray:
    """(n // hop + 1, bands) float32: base-10 logarithm of the mel magnitudes; row i is centred on sample i * hop.

    Source: StyleHEAT supplement §2 (80 bands, aligned to 25 fps); window and band edges as usual for 16 kHz speech.
    """
    import librosa

    padded = np.pad(np.asarray(samples, np.float32), WINDOW // 2)
    rows, made = len(samples) // hop + 1, []
    for start in range(0, rows, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, rows)
        mel = librosa.feature.melspectrogram(
            y=padded[start * hop : (stop - 1) * hop + WINDOW], sr=rate, n_fft=WINDOW, hop_length=hop, n_mels=bands, power=1.0,
            center=False, fmin=LOWEST_HZ, fmax=min(HIGHEST_HZ, rate / 2),
        )  # fmt: skip
        made.append(np.log10(np.maximum(mel, FLOOR)).T.astype(np.float32))
    return np.concatenate(made)


def hear(path: Path | str, start_s: float = 0, end_s: float | None = None) -> Speech:
    """The voice in a file between two times, as log-mel rows; `length_s` is exact to the sample."""
    heard, rate = samples(path, RATE, start_s, end_s)
    return Speech(Path(path), log_mel(heard, rate), rate / HOP, len(heard) / rate)


def levelled(mel: np.ndarray) -> np.ndarray:
    """(M, bands) float32 about 0..1: log-mel rows against the sound's own louder moments, whatever its volume."""
    loud = max(float(np.percentile(mel.max(1), 90)), QUIETEST)
    return (np.maximum(mel - loud, -DEEPEST) / 2 + 0.8).astype(np.float32)


def emphasised(mel: np.ndarray) -> np.ndarray:
    """(M, 80) float32 in [-4, 4]: log-mel rows as the published audio warper hears them.

    Source: the settings of Wav2Lip (Prajwal et al. 2020), by whose judge of lip sync StyleHEAT's audio warper is trained:
    high tones are emphasised, -80 to 20 dB fill the range. The emphasis is taken at each band's centre.
    """
    import librosa

    centres = librosa.mel_frequencies(BANDS + 2, fmin=LOWEST_HZ, fmax=HIGHEST_HZ)[1:-1]
    gain = np.abs(1 - EMPHASIS * np.exp(-2j * np.pi * centres / RATE))
    decibels = 20 * (mel + np.log10(gain))
    return (8 * (decibels + 80) / 100 + QUIET).clip(QUIET, -QUIET).astype(np.float32)


def length_of(path: Path | str) -> Fraction:
    """Seconds from a file's first picture, or its first sample, to the end of its sound, as its packets tell."""
    path = Path(path)
    origin = zero_of(path)
    with opened(path) as source:
        stream = _sound_of(source, path)
        packets = [p for p in until_broken(source.demux(stream)) if p.pts is not None and p.size]
        ends = [(p.pts + (p.duration or 0)) * p.time_base for p in packets]
    return max(ends, default=origin) - origin


def write_silence(path: Path, length_s: float) -> None:
    """A wav file of digital silence at 16 kHz."""
    write_wav(path, np.zeros(round(length_s * RATE), np.float32))


def write_wav(path: Path, sound: np.ndarray) -> None:
    """A wav file of mono samples (n,) in [-1, 1] at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((sound * 32767).round().astype("<i2").tobytes())
