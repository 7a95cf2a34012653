"""Speech: the mouth that goes with a voice, and how the head of a speaker moves, from clips with sound.

The sound is heard as log-mel rows; what is learned is the expression of the lower face against the same person's closed
mouth. Little data: rows are stretched, shifted, drowned in noise and music, and whole bands or moments are masked; music
and noise alone go with a closed mouth.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..engine.lower_face import measures, projection
from ..errors import InputError
from ..face.morphable import Morphable, fit
from ..face.regions import LIP_POINTS
from ..media.audio import HOP, RATE, hear, levelled, log_mel
from ..media.reader import probe
from ..networks.speech import VISEMES, Speech
from .loop import Losses
from .material import Tracked

log = logging.getLogger(__name__)

PHONEMES = {
    "bilabial": ("M", "B", "P"), "labiodental": ("F", "V"), "rounded": ("W", "UW", "OW", "UH", "OY", "SH", "CH", "JH", "ZH", "R"),
    "open": ("AA", "AE", "AH", "AO", "AW", "AY", "EH"), "spread": ("IY", "IH", "EY", "Y"), "silence": ("SIL", "NSN", ""),
}  # fmt: skip
"""ARPABET by what the mouth does; all others are `other`."""
SOUNDS = (".flac", ".wav")
ROWS_A_SECOND = RATE / HOP
FEWEST = 20  # frames with a face
SILENT = -2.0  # log10 mel magnitude that the louder moments of a sound that is no silence reach
LIVELY = 0.65  # log10 magnitude between louder and softer moments of speech; steady sound is music or noise
STILL = 0.02  # head sizes: lips whose gap spreads less do not speak
CALM_SHARE = 0.12  # share of a clip's frames, those with the lips nearest, whose mean is the closed mouth
KIND_WEIGHTS = (2.5, 1.5, 1.0, 1.0, 1.0, 1.0, 0.5)  # of the kinds of sound: rare ones, and lips that meet, count more
CLOSED = 0.12  # share of a clip's usual opening under which the lips count as closed
LIPS_WEIGHT = 4.0  # times that the lips count in the choice of modes
MOST_APART = 20  # rows by which sound and picture of a clip may be apart
SURE_ALIKE = 0.25  # correlation from which it can be told how far
WINDOW = 160  # rows of a training window: two seconds
QUIET_EVERY = 5  # windows of a batch, of which one is without a voice
NOTE_S = (0.15, 0.7)
SYNTHETIC, SYNTHETIC_S = 48, 8.0  # pieces of music, and how long they are


@dataclass(frozen=True)
class Voiced:
    """A clip heard and seen: mel (M, 80) levelled; modes (M, K) amounts; seen, speaks, closed (M,) bool; visemes
    (M,) the kind of sound, -1 where nobody wrote it down; scale: how much this person articulates against the others."""

    person: str
    mel: np.ndarray
    modes: np.ndarray
    seen: np.ndarray
    speaks: np.ndarray
    closed: np.ndarray
    visemes: np.ndarray
    scale: float = 1.0


@dataclass(frozen=True)
class Taken:
    """A clip's face and voice at the rows of the mel: expression (M, 64) of the lower face against the closed mouth; and
    at the frames of the clip: `head` (T, 6) pitch, yaw, roll, x, y, log size; expression `face` (T, 64); frames a second."""

    name: str
    person: str
    mel: np.ndarray
    expression: np.ndarray
    seen: np.ndarray
    visemes: np.ndarray
    head: np.ndarray
    face: np.ndarray
    fps: float


def taken(model: Morphable, clips: Iterable[Tracked]) -> list[Taken]:
    """The clips that speak: with sound that is no silence and no steady music, and lips that move."""
    lower = projection(model)
    found = [clip for tracked in clips if (clip := _taken(model, lower, tracked)) is not None]
    if not found:
        raise InputError("no clip of this folder speaks", hint="pass --data with a folder of clips with sound")
    return found


def _taken(model: Morphable, lower: np.ndarray, found: Tracked) -> Taken | None:
    sound = sound_of(found)
    if sound is None or found.seen.sum() < FEWEST:
        return None
    mel = hear(sound).mel
    loud, soft = np.percentile(mel.max(1), 90), np.percentile(mel.mean(1), (10, 90))
    fitted = fit(model, found.landmarks[found.seen].astype(np.float64))
    if loud < SILENT or soft[1] - soft[0] < LIVELY or (fitted.expression @ measures(model)[0]).std() < STILL:
        log.info("%s does not speak: left out", found.item.name)
        return None
    times = found.times[found.seen]
    if sound != found.item.path:
        times = times - _ahead(found, len(mel))
    grid = np.arange(len(mel)) / ROWS_A_SECOND
    part = fitted.expression @ lower.T
    part = part - _closed_mouth(model, fitted.expression, part)
    at_rows = np.stack([np.interp(grid, times, column) for column in part.T], 1)
    head = np.column_stack([fitted.angles, fitted.shift[:, :2] / fitted.scale[:, None], np.log(fitted.scale)])
    seen = (grid >= times[0]) & (grid <= times[-1])
    rate = 1 / float(np.median(np.diff(times)))
    return Taken(found.item.name, found.item.person, levelled(mel), at_rows, seen, _visemes(found, grid), head, fitted.expression, rate)


def sound_of(found: Tracked) -> Path | None:
    """The sound of a clip: a file beside it, else its own."""
    beside = [path for ending in SOUNDS if (path := found.item.path.with_suffix(ending)).is_file()]
    return beside[0] if beside else found.item.path if probe(found.item.path).audio else None


def _visemes(found: Tracked, grid: np.ndarray) -> np.ndarray:
    """(M,) kinds of sound at these seconds, from a list of phonemes beside the clip: one number at each frame of the sound,
    named by a table `*phindex.json` two folders up; -1 without."""
    listed = found.item.path.with_name(f"{found.item.path.stem}_phoneme.json")
    tables = sorted(found.item.path.parents[2].glob("*phindex.json"))
    if not listed.is_file() or not tables:
        return np.full(len(grid), -1)
    names = {number: name for name, number in json.loads(tables[0].read_text("utf-8")).items()}
    kinds = np.array([_kind(names.get(int(number), "")) for number in np.ravel(json.loads(listed.read_text("utf-8")))])
    step = float(np.median(np.diff(found.times)))
    return kinds[np.round(grid / step).astype(int).clip(0, len(kinds) - 1)]


def _kind(phoneme: str) -> int:
    for kind, members in PHONEMES.items():
        if phoneme in members:
            return VISEMES.index(kind)
    return VISEMES.index("other")


def _ahead(found: Tracked, rows: int) -> float:
    """Seconds of pictures before the sound's first sample: whole frames that the clip has too many."""
    step = float(np.median(np.diff(found.times)))
    return (len(found.times) - round((rows - 1) / ROWS_A_SECOND / step)) * step


def _closed_mouth(model: Morphable, expression: np.ndarray, lower: np.ndarray) -> np.ndarray:
    gap = expression @ measures(model)[0]
    return lower[np.argsort(gap, kind="stable")[: max(3, round(CALM_SHARE * len(gap)))]].mean(0)


def halves(clips: list[Taken], seed: int) -> list[tuple[list[Taken], set[str]]]:
    """Twice: the clips of about half of the people, and the names of the others."""
    people = sorted({clip.person for clip in clips})
    np.random.default_rng(seed).shuffle(people)
    return [([clip for clip in clips if clip.person not in others], others) for others in (set(people[::2]), set(people[1::2]))]


def aligned(clips: list[Taken], networks: list[tuple[Speech, set[str]]], rows: np.ndarray) -> list[Taken]:
    """The clips with sound and picture in step.

    Films and broadcasts run up to 0.2 s apart. Each clip is heard by a network that never met its person; where its mouth
    clearly fits better a little later or sooner, it is moved; the median person stays. rows (4, 64): what is compared.
    """
    found = [offset(next(network for network, people in networks if clip.person in people), clip, rows) for clip in clips]
    by_person: dict[str, list[int]] = {}
    for (by, alike), clip in zip(found, clips, strict=True):
        if alike >= SURE_ALIKE:
            by_person.setdefault(clip.person, []).append(by)
    usual = round(float(np.median([np.median(shifts) for shifts in by_person.values()]))) if by_person else 0
    for (by, alike), clip in zip(found, clips, strict=True):
        log.info("%s: apart by %.0f ms, correlation %.2f", clip.name, 1000 * (by - usual) / ROWS_A_SECOND, alike)
    return [later(clip, by - usual) if alike >= SURE_ALIKE else clip for (by, alike), clip in zip(found, clips, strict=True)]


@torch.inference_mode()
def offset(network: Speech, clip: Taken, rows: np.ndarray) -> tuple[int, float]:
    """Rows by which a clip's mouth comes sooner than its voice asks, and the mean correlation it then has."""
    network.eval()
    mel = torch.from_numpy(clip.mel.T[None]).to(network.out.weight)
    modes = network(mel)[0].mean(0)[: network.modes].T.cpu().numpy()
    asked, done = (modes @ network.basis.cpu().numpy() @ rows.T)[clip.seen], (clip.expression @ rows.T)[clip.seen]
    reach = min(MOST_APART, len(asked) // 4)
    alike = [_alike(asked, done, by) for by in range(-reach, reach + 1)]
    best = int(np.argmax(alike))
    return best - reach, alike[best]


def _alike(asked: np.ndarray, done: np.ndarray, by: int) -> float:
    """Mean correlation of the columns once what was done comes `by` rows later."""
    count = len(asked)
    a, b = asked[max(0, by) : count + min(0, by)], done[max(0, -by) : count - max(0, by)]
    return float(np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)]))


def later(clip: Taken, by: int) -> Taken:
    """The clip with its mouth so many rows later (sooner where negative)."""
    seen, at = clip.seen.copy(), np.arange(len(clip.seen)) - by
    inside = (at >= 0) & (at < len(seen))
    at = at.clip(0, len(seen) - 1)
    return replace(clip, expression=clip.expression[at], seen=clip.seen[at] & inside)


def modes_of(model: Morphable, clips: list[Taken], count: int) -> np.ndarray:
    """(count, 64): the ways in which mouths move when they speak, by how much they move points, lips before all."""
    care = np.ones(len(model.mean))
    care[list(LIP_POINTS)] = LIPS_WEIGHT
    flat = (model.expression * np.sqrt(care)[:, None]).reshape(len(model.expression), -1)
    root = np.linalg.cholesky(flat @ flat.T + 1e-9 * np.eye(len(flat)))
    rows = [(clip.expression - clip.expression.mean(0))[clip.seen] @ root / np.sqrt(clip.seen.sum()) for clip in clips]
    _u, sizes, ways = np.linalg.svd(np.concatenate(rows), full_matrices=False)
    spread = sizes[:count] / np.sqrt(len(clips))
    return np.linalg.solve(root.T, (ways[:count] * spread[:, None]).T).T


def voiced(model: Morphable, clips: list[Taken], basis: np.ndarray) -> list[Voiced]:
    """The clips in terms of the modes, with what is spoken and where lips are closed."""
    flat = model.expression.reshape(len(model.expression), -1)
    onto = (flat @ flat.T) @ basis.T @ np.linalg.inv(basis @ (flat @ flat.T) @ basis.T)  # [64 K]
    row = measures(model)[0]
    gaps = [clip.expression @ row for clip in clips]
    usual = np.median([gap[clip.seen].std() for gap, clip in zip(gaps, clips, strict=True)])
    made = []
    for gap, clip in zip(gaps, clips, strict=True):
        low, high = np.percentile(gap[clip.seen], (5, 95))
        scale = float(np.clip(gap[clip.seen].std() / usual, 0.5, 2.0))
        closed = gap - low < CLOSED * (high - low)
        made.append(Voiced(clip.person, clip.mel, clip.expression @ onto, clip.seen, _speaks(clip.mel), closed, clip.visemes, scale))
    return made


def _speaks(mel: np.ndarray) -> np.ndarray:
    """(M,) where a clip's voice is heard: louder than a third of the way from its softer to its louder moments."""
    level = np.convolve(np.pad(mel.mean(1), 4, mode="edge"), np.ones(9) / 9, "valid")
    low, high = np.percentile(level, (8, 92))
    return level > low + 0.35 * (high - low)


def music(random: np.random.Generator, modes: int) -> Voiced:
    """Eight seconds in which nobody speaks or sings; the mouth rests closed all along."""
    sound = (_noise if random.random() < 0.35 else _chords)(random) + 10 ** random.uniform(-4, -2) * random.normal(size=round(SYNTHETIC_S * RATE))
    mel = levelled(log_mel((0.1 * sound / sound.std()).astype(np.float32), RATE))
    nothing = np.zeros(len(mel), bool)
    return Voiced("", mel, np.zeros((len(mel), modes)), ~nothing, nothing, ~nothing, np.full(len(mel), VISEMES.index("silence")))


def _chords(random: np.random.Generator) -> np.ndarray:
    """Harmonic tones together and after each other, pads or plucked, sometimes with a beat, sometimes after a silence."""
    sound, begins = np.zeros(round(SYNTHETIC_S * RATE)), random.choice([0.0, random.uniform(0, 2)])
    beat, longest = random.random() < 0.4, random.choice([1, 2, 8])
    while begins < SYNTHETIC_S:
        lasts = random.uniform(*NOTE_S) * random.choice([1, longest])
        for _ in range(random.integers(1, 5)):
            _add(sound, begins, _tone(random, lasts))
        if beat:
            _add(sound, begins, random.normal(0, 0.6, 1600) * np.exp(-np.arange(1600) / random.uniform(80, 500)))
        begins += lasts * random.uniform(0.4, 1.0)
    return sound


def _noise(random: np.random.Generator) -> np.ndarray:
    """Hiss, wind or hum: noise of some colour that swells slowly, in parts of the time only."""
    count = round(SYNTHETIC_S * RATE)
    wave = np.fft.rfft(random.normal(size=count)) * np.maximum(np.arange(count // 2 + 1), 100.0) ** -random.uniform(0, 1.2)
    return np.fft.irfft(wave, count) * _swells(random, count)


def _swells(random: np.random.Generator, count: int) -> np.ndarray:
    """(count,) a volume that moves slowly, or switches on."""
    knots = random.integers(3, 12)
    volume = random.uniform(0.1, 1, knots) * (random.random(knots) < 0.85) + 1e-3
    return np.interp(np.arange(count), np.linspace(0, count, knots), volume)


def _tone(random: np.random.Generator, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = 110 * 2 ** (random.integers(-12, 30) / 12)
    fall, bright = random.choice([0.0, random.uniform(0.5, 6)]), random.choice([random.uniform(0.4, 2.2), 6.0])
    shake = 0.004 * random.random() * np.sin(2 * np.pi * random.uniform(3, 7) * t)
    tone = sum(np.sin(2 * np.pi * n * pitch * (t + shake / 20)) / n**bright for n in range(1, 9) if n * pitch < 7000)
    return tone * np.exp(-fall * t) * np.minimum(1, t / 0.01) * np.minimum(1, (seconds - t) / 0.02)


def _add(sound: np.ndarray, begins: float, tone: np.ndarray) -> None:
    start = round(begins * RATE)
    stop = min(start + len(tone), len(sound))
    sound[start:stop] += tone[: stop - start]


class SpeechJob:
    """One step: windows of voices (and of music and noise), what the network makes of them, how far that is from the mouth."""

    def __init__(self, network: Speech, clips: list[Voiced], weights: np.ndarray, batch: int, seed: int):
        self.network, self.clips, self.weights, self.batch, self.seed = network, clips, weights, batch, seed
        self.music = [music(np.random.default_rng([seed, n]), network.modes) for n in range(SYNTHETIC)]
        self.shares = shares(clips)

    def __call__(self, step: int, share: float) -> Losses:
        random = np.random.default_rng([self.seed, step])
        device = self.network.out.weight.device
        mel, wanted, seen, speaks, closed, kinds = (torch.from_numpy(a).to(device) for a in self.draw(random))
        said = self.network(mel)  # [N members K+2+7 M]
        found, kind = said[:, :, : -len(VISEMES)], said[:, :, -len(VISEMES) :]
        apart = torch.einsum("mk,nskt->nsmt", torch.from_numpy(self.weights).to(device), found[:, :, :-2] - wanted[:, None])
        count = seen.sum(2, keepdim=True).clamp(min=1)[:, None]
        apart = apart * seen[:, None]
        mean = apart.sum(3, keepdim=True) / count
        quick = (apart[..., 4:] - apart[..., :-4]) * seen[:, None, :, 4:] * seen[:, None, :, :-4]
        judge = torch.nn.functional.binary_cross_entropy_with_logits
        losses = {
            "shape": ((apart - mean) * seen[:, None]).square().sum() / (seen.sum() * apart[0, :, :, 0].numel()),
            "level": 0.1 * mean.square().mean(),
            "speed": 0.5 * quick.square().sum() / (seen.sum() * apart[0, :, :, 0].numel()),
            "voice": 0.2 * judge(found[:, :, -2], speaks[:, None].expand_as(found[:, :, -2])),
            "visemes": 0.25 * _written(kind, kinds.long()),
            "closed": 0.15 * (judge(found[:, :, -1], closed[:, None].expand_as(found[:, :, -1]), reduction="none") * seen).mean(),
        }
        return {**losses, "total": sum(losses.values())}

    def draw(self, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        """mel (N, 80, M), modes (N, K, M), seen (N, 1, M), speaks, closed and visemes (N, M): float32."""
        rows = []
        for n in range(self.batch):
            quiet = n % QUIET_EVERY == 0
            clip = self.music[random.integers(SYNTHETIC)] if quiet else self.clips[random.choice(len(self.clips), p=self.shares)]
            rows.append(window(clip, self.music[random.integers(SYNTHETIC)], random, alone=quiet))
        return tuple(np.stack(column).astype(np.float32) for column in zip(*rows, strict=True))


def _written(logits: Tensor, kinds: Tensor) -> Tensor:
    """The mean loss of the kinds of sound (N, members, 7, M) where they are known (N, M)."""
    members = logits.shape[1]
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), kinds.repeat_interleave(members, 0), ignore_index=-1, reduction="sum",
        weight=torch.tensor(KIND_WEIGHTS, device=logits.device),
    )  # fmt: skip
    return loss / (members * (kinds >= 0).sum().clamp(min=1))


def shares(clips: list[Voiced]) -> np.ndarray:
    """How often each clip is drawn: by its length over the root of all that its person says."""
    said: dict[str, int] = {}
    for clip in clips:
        said[clip.person] = said.get(clip.person, 0) + len(clip.mel)
    share = np.array([len(clip.mel) / np.sqrt(said[clip.person]) for clip in clips])
    return share / share.sum()


def window(clip: Voiced, other: Voiced, random: np.random.Generator, *, alone: bool = False) -> tuple[np.ndarray, ...]:
    """A stretch of a clip at another speed and under another sound; `alone`: nobody speaks in it."""
    at = random.integers(-WINDOW // 4, max(1, len(clip.mel) - WINDOW * 3 // 4)) + np.arange(WINDOW) * np.exp(random.uniform(-0.15, 0.15))
    before = np.floor(at).astype(int).clip(0, len(clip.mel) - 2)
    part = np.clip(at - before, 0, 1)[:, None]
    inside = (at >= 0) & (at <= len(clip.mel) - 1)
    mel = np.where(inside[:, None], clip.mel[before] * (1 - part) + clip.mel[before + 1] * part, clip.mel.min())
    modes = (clip.modes[before] * (1 - part) + clip.modes[before + 1] * part) / clip.scale
    seen = inside & clip.seen[before] & clip.seen[before + 1]
    if alone and random.random() < 0.3:
        mel = np.full_like(mel, random.uniform(-1.2, 0.3))
    elif not alone and random.random() < 0.35:
        start = random.integers(0, len(other.mel) - WINDOW)
        mel = _louder(mel, other.mel[start : start + WINDOW] - random.uniform(0.2, 0.8))
    mel = disguised(mel, random)
    kinds = np.where(inside, clip.visemes[before], -1)
    return mel.T, modes.T, seen[None], clip.speaks[before] & inside, clip.closed[before], kinds


def disguised(mel: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The same rows (M, 80) as another throat, room and microphone would give them, with holes."""
    bands = mel.shape[1]
    shifted = np.clip(np.arange(bands) * np.exp(random.uniform(-0.12, 0.12)), 0, bands - 1.001)
    low = shifted.astype(int)
    mel = mel[:, low] * (1 - (shifted - low)) + mel[:, low + 1] * (shifted - low)
    mel = mel + random.uniform(-0.25, 0.25) + random.normal(0, 0.12) * np.linspace(-1, 1, bands) + _hills(random, bands, 6, 0.08)
    if random.random() < 0.5:
        mel = _louder(mel, random.uniform(-1.1, -0.1) + random.normal(0, 0.1, mel.shape) + _hills(random, bands, 5, 0.2))
    mel = mel + random.normal(0, 0.04, mel.shape)
    for _ in range(2):
        band = random.integers(bands)
        mel[:, band : band + random.integers(14)] = mel.mean()
    row = random.integers(len(mel))
    mel[row : row + random.integers(10)] = mel.mean()
    return mel


def _hills(random: np.random.Generator, bands: int, knots: int, size: float) -> np.ndarray:
    return np.interp(np.arange(bands), np.linspace(0, bands - 1, knots), random.normal(0, size, knots))


def _louder(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of two sounds as levelled rows: half a unit is a factor of ten."""
    return np.logaddexp(a * 2 * np.log(10), b * 2 * np.log(10)) / (2 * np.log(10))


def loss_weights(model: Morphable, basis: np.ndarray, clips: list[Voiced]) -> np.ndarray:
    """(K + 4, K): the errors that count: each mode by its size, and what opening, width, jaw and protrusion miss."""
    sizes = np.linalg.norm((basis @ model.expression.reshape(len(model.expression), -1)), axis=1)
    rows = measures(model) @ basis.T  # [4 K]
    moved = np.concatenate([clip.modes[clip.seen] - clip.modes[clip.seen].mean(0) for clip in clips])
    rows = rows / (moved @ rows.T).std(0)[:, None]
    return np.concatenate([np.diag(sizes / sizes[0]), np.array([1.5, 1.2, 1.0, 1.0])[:, None] * rows]).astype(np.float32)
