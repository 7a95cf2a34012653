"""The voice from numbers: loud enough, with pauses, and where a mouth would resonate."""

import numpy as np
import pytest

from styleheat_cli.media.audio import samples
from styleheat_cli.media.babble import FORMANTS_HZ, LEVEL, RATE, SYLLABLE_S, SYLLABLES, babble, write_babble


def spoken(place):
    """The middle of a syllable."""
    voice = babble(len(SYLLABLES) * SYLLABLE_S)
    begin = round((place + 0.45) * SYLLABLE_S * RATE)
    return voice[begin : begin + RATE // 10]


def test_it_lasts_as_long_as_asked_and_is_the_same_every_time(tmp_path):
    assert len(babble(1.7)) == round(1.7 * RATE) and (babble(1.7) == babble(1.7)).all()
    write_babble(tmp_path / "b.wav", 1.7)
    heard, rate = samples(tmp_path / "b.wav")
    assert rate == RATE and heard == pytest.approx(babble(1.7), abs=1e-4) and np.abs(heard).max() == pytest.approx(LEVEL, abs=1e-3)


def test_a_blank_is_silence_and_a_closure_is_quieter_than_its_vowel():
    pause, pi = SYLLABLES.index(" "), SYLLABLES.index("pi")
    assert (spoken(pause) == 0).all()
    begin = round(pi * SYLLABLE_S * RATE)
    closed = babble(4)[begin : begin + RATE // 20]
    assert np.abs(closed).max() < 0.02 < 0.1 < np.abs(spoken(pi)).max()


@pytest.mark.parametrize("vowel", ["u", "i", "e"])
def test_a_vowel_is_loudest_near_its_first_resonance(vowel):
    place = next(count for count, syllable in enumerate(SYLLABLES) if syllable[-1] == vowel)
    power = np.abs(np.fft.rfft(spoken(place) * np.hanning(RATE // 10)))
    loudest = np.fft.rfftfreq(RATE // 10, 1 / RATE)[power.argmax()]
    assert abs(loudest - FORMANTS_HZ[vowel][0]) < 130, "half a pitch beside"
