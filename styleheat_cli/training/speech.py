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
from ..media.audio import RATE, hear, levelled, log_mel
from ..media.reader import probe
from ..networks.speech import PHONEMES, Speech
from . import samples
from .lips import ROWS_A_SECOND, meetings, seen_to_meet
from .loop import Losses
from .material import Tracked
from .music import music

log = logging.getLogger(__name__)

SOUNDS = (".flac", ".wav")
FEWEST = 20  # frames with a face
SILENT = -2.0  # log10 mel magnitude that the louder moments of a sound that is no silence reach
LIVELY = 0.65  # log10 magnitude between louder and softer moments of speech; steady sound is music or noise
STILL = 0.02  # head sizes: lips whose gap spreads less do not speak
CALM_SHARE = 0.12  # share of a clip's frames, those with the lips nearest, whose mean is the closed mouth
RARE = 8.0  # times that a row in which lips meet counts
LISTENS = (0.3, 1.0)  # how much it counts what the stack that moves the mouth, and the one that listens, say of the sound
SPELT = 8  # windows a step, besides the batch, of clips whose sounds somebody wrote down; only to be listened to
LIPS_WEIGHT = 4.0  # times that the lips count in the choice of modes
MOST_APART = 20  # rows by which sound and picture of a clip may be apart
SURE_ALIKE = 0.25  # correlation from which it can be told how far
WINDOW = 160  # rows of a training window: two seconds
QUIET_EVERY = 5  # windows of a batch, of which one is without a voice
SYNTHETIC = 96  # pieces of music


@dataclass(frozen=True)
class Voiced:
    """A clip heard and seen: mel (M, 80) levelled; modes (M, K) amounts; seen, speaks (M,) bool; meet (M,) 1 where lips meet, 0
    where they do not, -1 where it is not told; sounds (M,) the phoneme, -1 where nobody wrote it down; scale: how much this
    person articulates against the others."""

    person: str
    mel: np.ndarray
    modes: np.ndarray
    seen: np.ndarray
    speaks: np.ndarray
    meet: np.ndarray
    sounds: np.ndarray
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
    sounds: np.ndarray
    head: np.ndarray
    face: np.ndarray
    fps: float
    sound: Path | None = None


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
    return Taken(found.item.name, found.item.person, levelled(mel), at_rows, seen, _written(found, grid), head, fitted.expression, rate, sound)


def sound_of(found: Tracked) -> Path | None:
    """The sound of a clip: a file beside it, else its own."""
    beside = [path for ending in SOUNDS if (path := found.item.path.with_suffix(ending)).is_file()]
    return beside[0] if beside else found.item.path if probe(found.item.path).audio else None


def _written(found: Tracked, grid: np.ndarray) -> np.ndarray:
    """(M,) the phonemes at these seconds, from a list beside the clip: one number at each frame of the sound, named by a
    table `*phindex.json` two folders up; -1 without."""
    listed = found.item.path.with_name(f"{found.item.path.stem}_phoneme.json")
    tables = sorted(found.item.path.parents[2].glob("*phindex.json"))
    if not listed.is_file() or not tables:
        return np.full(len(grid), -1)
    places = {number: PHONEMES.index(name) for name, number in json.loads(tables[0].read_text("utf-8")).items() if name in PHONEMES}
    sounds = np.array([places.get(int(number), -1) for number in np.ravel(json.loads(listed.read_text("utf-8")))])
    step = float(np.median(np.diff(found.times)))
    return sounds[np.round(grid / step).astype(int).clip(0, len(sounds) - 1)]


def _ahead(found: Tracked, rows: int) -> float:
    """Seconds of pictures before the sound's first sample: whole frames that the clip has too many."""
    step = float(np.median(np.diff(found.times)))
    return (len(found.times) - round((rows - 1) / ROWS_A_SECOND / step)) * step


def _closed_mouth(model: Morphable, expression: np.ndarray, lower: np.ndarray) -> np.ndarray:
    gap = expression @ measures(model)[0]
    return lower[np.argsort(gap, kind="stable")[: max(3, round(CALM_SHARE * len(gap)))]].mean(0)


def halves(clips: list[Taken], seed: int) -> list[tuple[list[Taken], set[str]]]:
    """Twice: the clips of about half of the people, of those too whose sounds are written down, and the names of the others."""
    people, written = sorted({clip.person for clip in clips}), {clip.person for clip in clips if (clip.sounds >= 0).any()}
    np.random.default_rng(seed).shuffle(people)
    people.sort(key=lambda person: person not in written)
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
    modes = network.said(mel)[0, : network.modes].T.cpu().numpy()
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
        speaks, share = _speaks(clip.mel), (gap - low) / (high - low)
        meet = meetings(clip.sounds) if (clip.sounds >= 0).any() else seen_to_meet(share, clip.seen, speaks)
        made.append(Voiced(clip.person, clip.mel, clip.expression @ onto, clip.seen, speaks, meet, clip.sounds, scale))
    return made


def _speaks(mel: np.ndarray) -> np.ndarray:
    """(M,) where a clip's voice is heard: louder than a third of the way from its softer to its louder moments."""
    level = np.convolve(np.pad(mel.mean(1), 4, mode="edge"), np.ones(9) / 9, "valid")
    low, high = np.percentile(level, (8, 92))
    return level > low + 0.35 * (high - low)


OPENING = -4  # the row of `loss_weights` that tells how far the lips are parted


class SpeechJob:
    """One step: windows of voices (and of music and noise), what the network makes of them, how far that is from the mouth."""

    def __init__(self, network: Speech, clips: list[Voiced], weights: np.ndarray, batch: int, seed: int):
        self.network, self.clips, self.weights, self.batch, self.seed = network, clips, weights, batch, seed
        self.music = [voiceless(np.random.default_rng([seed, n]), network.modes) for n in range(SYNTHETIC)]
        self.shares = shares(clips)
        self.spelt = [replace(clip, seen=np.zeros_like(clip.seen)) for clip in clips if (clip.sounds >= 0).any()]

    def __call__(self, step: int, share: float) -> Losses:
        random = np.random.default_rng([self.seed, step])
        device = self.network.out.weight.device
        mel, wanted, seen, speaks, meet, sounds = (torch.from_numpy(a).to(device) for a in self.draw(random))
        said = self.network(mel)  # [N 2 K+2+41 M]
        wide = torch.from_numpy(self.weights).to(device)
        apart = torch.einsum("mk,nkt->nmt", wide, said[:, 0, : self.network.modes] - wanted) * seen
        mean = apart.sum(2, keepdim=True) / seen.sum(2, keepdim=True).clamp(min=1)
        quick = (apart[..., 4:] - apart[..., :-4]) * seen[..., 4:] * seen[..., :-4]
        rows = seen.sum() * len(wide)
        spoken, met, sound = said[:, :, -len(PHONEMES) - 2], said[:, :, -len(PHONEMES) - 1], said[:, :, -len(PHONEMES) :]
        losses = {
            "shape": ((apart - mean) * seen).square().sum() / rows,
            "level": 0.1 * mean.square().mean(),
            "speed": 0.5 * quick.square().sum() / rows,
            "voice": 0.2 * _judged(spoken, speaks, 1.0),
            "meet": 0.15 * _judged(met, meet, RARE),
            "sounds": 0.3 * _told(sound, sounds.long()),
        }
        return {**losses, "total": sum(losses.values())}

    @torch.no_grad()
    def samples(self) -> np.ndarray:
        """The sheet of some windows: how far the lips are parted, as seen and as said."""
        mel, wanted, *_ = self.draw(np.random.default_rng(self.seed))
        speaking = [n for n in range(self.batch) if n % QUIET_EVERY][: samples.COUNT]
        self.network.eval()
        said = self.network(torch.from_numpy(mel[speaking]).to(self.network.out.weight.device))[:, 0, : self.network.modes].cpu().numpy()
        self.network.train()
        true, made = (np.einsum("k,nkt->nt", self.weights[OPENING], modes) for modes in (wanted[speaking], said))
        return samples.curves(true, made, "lips parted: seen (grey), said (orange)")

    def draw(self, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        """mel (N, 80, M), modes (N, K, M), seen (N, 1, M), speaks, meet and sounds (N, M): float32."""
        rows = []
        for n in range(self.batch):
            quiet = n % QUIET_EVERY == 0
            clip = self.music[random.integers(SYNTHETIC)] if quiet else self.clips[random.choice(len(self.clips), p=self.shares)]
            rows.append(window(clip, self.music[random.integers(SYNTHETIC)], random, alone=quiet))
        for _ in range(SPELT if self.spelt else 0):
            clip = self.spelt[random.integers(len(self.spelt))]
            rows.append(window(clip, self.music[random.integers(SYNTHETIC)], random))
        return tuple(np.stack(column).astype(np.float32) for column in zip(*rows, strict=True))


def _told(logits: Tensor, sounds: Tensor) -> Tensor:
    """The loss of the sounds (N, 2, 41, M) where they are known (N, M)."""
    both = sounds[:, None].expand(-1, logits.shape[1], -1)
    return _weighed(torch.nn.functional.cross_entropy(logits.transpose(1, 2), both, ignore_index=-1, reduction="none"), both)


def _judged(logits: Tensor, true: Tensor, rare: float) -> Tensor:
    """The loss of a yes or no (N, 2, M) where it is known (N, M); a yes counts `rare` times."""
    both = true[:, None].expand_as(logits)
    often = torch.tensor(rare, device=logits.device)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, both.clamp(min=0), pos_weight=often, reduction="none")
    return _weighed(loss, both)


def _weighed(loss: Tensor, known: Tensor) -> Tensor:
    """The mean of a loss (N, 2, M) where something is known, by how much each stack listens."""
    told = (known >= 0).float()
    by_stack = (loss * told).sum((0, 2)) / told.sum((0, 2)).clamp(min=1)
    return by_stack @ torch.tensor(LISTENS, device=loss.device)


def voiceless(random: np.random.Generator, modes: int) -> Voiced:
    """Some seconds in which nobody speaks or sings; the mouth rests all along."""
    mel = levelled(log_mel(music(random), RATE))
    nothing, untold = np.zeros(len(mel), bool), np.full(len(mel), -1)
    return Voiced("", mel, np.zeros((len(mel), modes)), ~nothing, nothing, untold, untold)


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
    meet, sounds = (np.where(inside, known[before], -1) for known in (clip.meet, clip.sounds))
    return mel.T, modes.T, seen[None], clip.speaks[before] & inside, meet, sounds


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
