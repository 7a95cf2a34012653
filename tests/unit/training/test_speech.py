"""Learning to speak: what a window of training holds, how sound and picture are put in step, who is left out."""

import numpy as np
import pytest

from styleheat_cli.engine import Engine
from styleheat_cli.engine.lower_face import measures, projection
from styleheat_cli.networks.speech import PHONEMES, STACKS, Speech
from styleheat_cli.training import life, lips, music, samples, speech
from styleheat_cli.training.speech import ROWS_A_SECOND, Taken, Voiced
from tests.synthetic import write_sound


@pytest.fixture(scope="module")
def model():
    return Engine("default", device="cpu").morphable


def clip(model, person="a", count=640, seed=0, by=0):
    """A clip whose mouth does what is written into its lowest band, `by` rows later."""
    random = np.random.default_rng(seed)
    curve = np.convolve(random.normal(size=count + 40), np.hanning(24), "same")[20:-20]
    mel = np.repeat(curve[:, None], 80, axis=1).astype(np.float32)
    row = measures(model)[0] @ projection(model)
    expression = 0.05 * np.roll(curve, by)[:, None] * row / (row @ row)
    still = np.zeros((200, 6)) + 0.01 * random.normal(size=(200, 6)).cumsum(0)
    return Taken(f"{person}{seed}", person, mel, expression, np.ones(count, bool), np.full(count, -1), still, 0.1 * random.normal(size=(200, 64)), 25.0)


class Echo(Speech):
    """A network that opens the mouth by the mean of the bands."""

    def forward(self, mel):
        made = mel.new_zeros(len(mel), STACKS, self.modes + 2 + len(PHONEMES), mel.shape[2])
        made[:, 0, 0] = mel.mean(1)
        return made


@pytest.fixture
def echo(model):
    import torch

    network = Echo(width=8)
    row = measures(model)[0] @ projection(model)
    network.basis[0] = torch.from_numpy(row / (row @ row))
    return network


@pytest.mark.parametrize("by", [-9, 0, 6])
def test_how_far_sound_and_picture_are_apart_is_found(model, echo, by):
    found, alike = speech.offset(echo, clip(model, by=by), measures(model)[:1])
    assert found == -by and alike > 0.95


def test_clips_are_put_in_step_with_the_median_person(model, echo):
    clips = [clip(model, person, by=by, seed=seed) for seed, (person, by) in enumerate([("a", 0), ("b", 0), ("c", 8)])]
    made = speech.aligned(clips, [(echo, {"a", "b", "c"})], measures(model)[:1])
    assert [speech.offset(echo, each, measures(model)[:1])[0] for each in made] == [0, 0, 0]
    assert made[2].seen.sum() == 640 - 8 and made[0].seen.all()


def test_no_half_of_the_people_is_in_the_other(model):
    clips = [clip(model, person, seed=seed) for seed, person in enumerate("aabcdde")]
    (first, others), (second, others_too) = speech.halves(clips, 0)
    assert {c.person for c in first} & others == set() == {c.person for c in second} & others_too
    assert others | others_too == set("abcde") and others & others_too == set()


def test_modes_say_what_the_mouths_did(model):
    clips = [clip(model, person, seed=seed) for seed, person in enumerate("abc")]
    basis = speech.modes_of(model, clips, 4)
    (made, *_) = speech.voiced(model, clips, basis)
    assert made.modes @ basis == pytest.approx(clips[0].expression, abs=1e-3)
    assert made.modes[:, 0].std() == pytest.approx(1, abs=0.4)


def test_a_window_is_a_stretch_of_the_clip_with_what_was_seen_in_it():
    ramp = np.linspace(0, 1, 400)[:, None]
    given = Voiced("a", np.repeat(ramp, 80, 1), np.repeat(ramp, 3, 1), np.arange(400) < 200, np.ones(400, bool), np.zeros(400), np.full(400, 3))
    random = np.random.default_rng(0)
    for _ in range(20):
        mel, modes, seen, speaks, meet, sounds = speech.window(given, speech.voiceless(np.random.default_rng(1), 3), random)
        assert mel.shape == (80, speech.WINDOW) and modes.shape == (3, speech.WINDOW) and seen.shape == (1, speech.WINDOW)
        inside = seen[0].astype(bool)
        assert modes[0, inside].max(initial=0) <= 0.5 and np.isfinite(mel).all()
        assert (sounds[inside] == 3).all() and not meet[inside].any() and speaks[inside].all()


def test_the_sheet_of_samples_shows_curves_and_leaves_the_training_as_it_was(model):
    import torch

    network = Speech().train()
    clips = [clip(model, person, seed=seed) for seed, person in enumerate("ab")]
    network.basis.copy_(torch.from_numpy(speech.modes_of(model, clips, network.modes)))
    voiced = speech.voiced(model, clips, network.basis.numpy())
    job = speech.SpeechJob(network, voiced, speech.loss_weights(model, network.basis.numpy(), voiced), batch=8, seed=0)
    before = torch.get_rng_state()
    sheet = job.samples()
    assert network.training and (torch.get_rng_state() == before).all() and (sheet == job.samples()).all()
    drawn = [(sheet == colour).all(-1).any() for colour in (samples.TRUE, samples.MADE)]
    assert all(drawn) and sheet.shape[1] == 2 * samples.CURVE[0] + 6


def test_lips_meet_at_each_m_b_and_p_that_is_written_and_nowhere_near_it_is_told():
    sounds = np.array([PHONEMES.index(name) for name in ["AA"] * 4 + ["M"] * 3 + ["AA"] * 4 + ["P"] + ["S"] * 3])
    assert lips.meetings(sounds).tolist() == [0, 0, -1, -1, 1, 1, 1, -1, -1, -1, -1, 1, -1, -1, 0]


def test_lips_that_shut_for_a_moment_amid_a_voice_meet_and_open_ones_do_not():
    share = np.full(400, 0.2)
    share[100:108], share[200:260], share[300:308], share[350:] = 0.0, 0.0, 0.0, 0.8
    speaks = np.arange(400) < 280
    seen = np.arange(400) < 390
    found = lips.seen_to_meet(share, seen, speaks)
    assert (found[100:108] == 1).all() and (found[350:390] == 0).all()
    rest = np.concatenate([found[:100], found[108:350], found[390:]])  # too long, without a voice, in between, not seen
    assert (rest == -1).all()


def test_lips_are_counted_where_they_shut(model, tmp_path, monkeypatch):
    sounds = np.full(160, PHONEMES.index("AA"))
    sounds[40:46] = sounds[100:106] = PHONEMES.index("B")
    path = write_sound(tmp_path / "a.wav", np.full((1, 32000), 0.1, np.float32), 16000)
    given = speech.replace(clip(model, count=160), sounds=sounds, sound=path)
    monkeypatch.setattr(lips, "mouth_of", lambda network, heard, times: None)
    shut = lambda times: (np.abs(times - 0.53) < 0.05) | (np.abs(times - 1.75) < 0.03)  # noqa: E731
    monkeypatch.setattr(lips, "opened_by", lambda model, mouth, times: np.where(shut(times), 0.0, 0.1))
    met, of, vowels = lips.lips_at(model, None, [given, clip(model)])
    assert (met, of) == (1, 2) and vowels == pytest.approx(1 / 30, abs=0.02)


def test_a_mouth_that_is_taken_over_moves_as_it_did_and_listening_stays():
    import torch

    torch.manual_seed(0)
    own, other, mel = Speech(width=16).eval(), Speech(width=16).eval(), torch.randn(1, 80, 100)
    other.basis.normal_()
    before = own.said(mel)[:, own.modes :]
    own.take_mouth(other)
    assert torch.allclose(own.said(mel)[:, : own.modes], other.said(mel)[:, : own.modes], atol=1e-6)
    assert torch.allclose(own.said(mel)[:, own.modes :], before, atol=1e-6) and (own.basis == other.basis).all()


def test_nobody_speaks_in_what_is_made_up():
    for seed in range(6):
        made = speech.voiceless(np.random.default_rng(seed), 3)
        assert made.mel.shape == (round(music.LENGTH_S * ROWS_A_SECOND) + 1, 80) and np.isfinite(made.mel).all()
        assert not made.speaks.any() and not made.modes.any() and (made.sounds == -1).all()


def test_the_sway_of_clips_has_the_spread_of_the_median_clip(model):
    clips = [clip(model, "a", seed=seed) for seed in range(5)]
    frequencies, amplitudes = life.sway_of(model, clips)
    spread = np.sqrt(np.einsum("fij,fij->i", amplitudes, amplitudes))[:6]
    wanted = np.median([(c.head - np.median(c.head, 0)).std(0) for c in clips], axis=0)
    assert spread == pytest.approx(wanted, rel=1e-6) and (np.diff(frequencies) > 0).all()
