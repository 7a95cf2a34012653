"""The training jobs, start to finish: material, training, finished weights with the manifest row that describes them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file as save_tensors
from torch import nn

from ..engine.lower_face import measures
from ..networks.codec import Encoder, Generator
from ..networks.healer import Healer
from ..networks.speech import Speech
from ..progress import Progress
from . import attributes, life, lips, loop, speech
from .calibration import CalibrationJob, Critic
from .codec import CodecJob, pictures
from .deep3d import bridge, pairs_of, placement
from .lashes import lashes
from .material import material, tracked
from .morphable import Settings, train
from .openings import Openings, opening_pairs

if TYPE_CHECKING:
    from ..engine import Engine
    from ..ops.train import TrainAttributes, TrainCalibration, TrainCodec, Training, TrainMorphable, TrainSpeech

HALF = ("identity", "expression")  # arrays of the morphable model that half precision holds well enough


def make_morphable(job: TrainMorphable, progress: Progress) -> dict[str, Any]:
    """Makes recon.safetensors; returns what the model measured of itself."""
    people: dict[str, list[np.ndarray]] = {}
    for found in _material(job, progress):
        people.setdefault(found.item.person, []).append(found.landmarks)
    model, facts = train(people, Settings(job.identities, job.frames_per_person))
    both = [pairs for found in _material(job, progress) if (pairs := pairs_of(model, found))]
    if len(both) > 1:
        deep3d, quality = bridge(both)
        model, facts = replace(model, deep3d=deep3d), {**facts, "deep3d_clips": len(both), **quality, **placement(both)}
    arrays = {name: np.asarray(value) for name, value in vars(model).items() if value is not None}
    stored = {name: np.ascontiguousarray(_compact(name, value)) for name, value in arrays.items()}
    job.output.mkdir(parents=True, exist_ok=True)
    save_arrays(stored, job.output / "recon.safetensors")
    return {**facts, "row": _row(job, "recon", "morphable")}


def _compact(name: str, value: np.ndarray) -> np.ndarray:
    return value.astype(np.int32 if value.dtype.kind in "iu" else np.float16 if name in HALF else np.float32)


def make_attributes(job: TrainAttributes, engine: Engine, progress: Progress) -> dict[str, Any]:
    """Makes attributes.safetensors; returns what it measured of itself."""
    labels = attributes.labels_of(job.data)
    found = _material(job, progress, still=True)
    look, facts = attributes.learn(engine.morphable, list(attributes.labelled(engine.morphable, found, labels)))
    job.output.mkdir(parents=True, exist_ok=True)
    stored = {name: np.ascontiguousarray(value, _width(value)) for name, value in vars(look).items()}
    save_arrays(stored, job.output / "attributes.safetensors")
    return {**facts, "row": _row(job, "attributes", "appearance")}


def _width(value: np.ndarray) -> type:
    """Maps in half precision, short rows of numbers in single."""
    return np.float16 if value.ndim == 2 and value.shape[0] == value.shape[1] else np.float32


def train_codec(job: TrainCodec, engine: Engine, progress: Progress) -> dict[str, Any]:
    """Makes encoder.safetensors and generator.safetensors."""
    torch.manual_seed(job.seed)
    images = _kept(job.work / "pictures.npy", lambda: pictures(_material(job, progress), job.frames_per_clip, job.smallest))
    encoder, generator = (_fresh(kind, engine) for kind in (Encoder, Generator))
    parts = {"encoder": encoder, "generator": generator}
    optimiser = torch.optim.AdamW(_parameters(parts), lr=job.rate, betas=(0.9, 0.99), weight_decay=1e-4)
    step = CodecJob(encoder, generator, images, job.batch, job.seed)
    loop.run(step, parts, optimiser, loop.Schedule(job.steps, job.rate), job.work / "codec", samples=step.samples, progress=progress)
    return {"row": _save(job, parts)}


def train_calibration(job: TrainCalibration, engine: Engine, progress: Progress) -> dict[str, Any]:
    """Makes calibration.safetensors, and encoder and generator anew, which learn along a little."""
    torch.manual_seed(job.seed)
    openings = _openings(job, engine, progress)
    encoder, generator, healer, critic = (_fresh(kind, engine) for kind in (Encoder, Generator, Healer, Critic))
    start_from(job.work / "codec" / "train.pt", engine, encoder=encoder, generator=generator)
    parts = {"encoder": encoder, "generator": generator, "calibration": healer}
    groups = [
        {"params": list(healer.parameters()), "lr": job.rate},
        {"params": _parameters({"encoder": encoder, "generator": generator}), "lr": job.rate / 3},
    ]
    optimiser = torch.optim.AdamW(groups, lr=job.rate, betas=(0.5, 0.99), weight_decay=1e-4)
    against = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.99))
    step = CalibrationJob(encoder, generator, healer, openings, job.batch, job.seed, critic, against)
    also = {"critic": critic, "critic_optimiser": against}
    schedule = loop.Schedule(job.steps, job.rate)
    loop.run(step, parts, optimiser, schedule, job.work / "calibration", also=also, samples=step.samples, progress=progress)
    return {**lashes(openings), "row": _save(job, parts)}


def train_speech(job: TrainSpeech, engine: Engine, progress: Progress) -> dict[str, Any]:
    """Makes speech.safetensors: the network, and beside it in the same file how heads sway and blink."""
    model = engine.morphable
    clips = speech.taken(model, _material(job, progress, still=False))
    halves = speech.halves(clips, job.seed)
    strangers = [(_spoken(job, engine, half, job.steps // 2, f"half-{n}", progress), people) for n, (half, people) in enumerate(halves)]
    voices = speech.aligned(clips, strangers, measures(model))
    network = _spoken(job, engine, voices, job.steps, "whole", progress)
    if job.keep_mouth:
        network.take_mouth(engine.voice)
    frequencies, sway = life.sway_of(model, clips)
    known = {"frequencies": frequencies, "sway": sway, "brow": life.brow_of(model), "blinks": life.blinks_of(model, clips)}
    network.load_state_dict({name: torch.from_numpy(value) for name, value in known.items()}, strict=False)
    seconds = sum(float(clip.seen.sum()) for clip in voices) / speech.ROWS_A_SECOND
    facts = {"clips": len(voices), "people": len({clip.person for clip in voices}), "seconds": round(seconds)}
    by_strangers = [lips.lips_at(model, half, [clip for clip in clips if clip.person in people]) for half, people in strangers]
    facts |= {**_lips("", [lips.lips_at(model, network, voices)]), **_lips("_by_strangers", by_strangers)}
    return {**facts, "row": _save(job, {"speech": network})}


def _lips(suffix: str, found: list[tuple[int, int, float]]) -> dict[str, str]:
    """Where lips met, for people."""
    met, of = sum(met for met, _, _ in found), sum(of for _, of, _ in found)
    closed = sum(of_these * share for _, of_these, share in found) / max(of, 1)
    return {f"bilabials_closed{suffix}": f"{met} of {of}", f"vowels_closed{suffix}": f"{100 * closed:.1f} %"}


def _spoken(job: TrainSpeech, engine: Engine, clips: list[speech.Taken], steps: int, name: str, progress: Progress) -> Speech:
    """A network that speaks as these clips do."""
    torch.manual_seed(job.seed)
    network = Speech().to(engine.device).train()
    basis = speech.modes_of(engine.morphable, clips, network.modes)
    network.basis.copy_(torch.from_numpy(basis))
    voiced = speech.voiced(engine.morphable, clips, basis)
    step = speech.SpeechJob(network, voiced, speech.loss_weights(engine.morphable, basis, voiced), job.batch, job.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=job.rate, weight_decay=1e-2)
    schedule = loop.Schedule(steps, job.rate, warm=50)
    loop.run(step, {"speech": network}, optimiser, schedule, job.work / "speech" / name, samples=step.samples, progress=progress)
    return network.eval()


def _material(job: Training, progress: Progress, still: bool | None = None):
    """The faces of all clips and portraits, or of portraits (`still`) or clips alone."""
    items = [item for item in material(job.data, job.held_out) if still in (None, item.still)]
    return tracked(items, job.work / "landmarks", progress)


def _kept(path: Path, make: Any) -> np.ndarray:
    """An array that is made once and read from disk afterwards."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path.with_suffix(".part.npy"), made)
        path.with_suffix(".part.npy").replace(path)
    return np.load(path, mmap_mode="r")


def _openings(job: TrainCalibration, engine: Engine, progress: Progress) -> Openings:
    folder = job.work / "openings"
    if not (folder / "motion.npy").exists():
        clips = _material(job, progress, still=False)
        opening_pairs(engine.morphable, clips, job.pairs_per_clip, job.smallest, job.seed).save(folder)
    return Openings.load(folder)


def start_from(saved: Path, engine: Engine, **parts: nn.Module) -> None:
    """Parts go on from the training that was saved; where there was none here, from the embedded family's own."""
    state = torch.load(saved, map_location="cpu", weights_only=True) if saved.exists() else {}
    for name, part in parts.items():
        part.load_state_dict(state.get(name) or getattr(engine.healing, name).state_dict())


def _fresh(kind: type[nn.Module], engine: Engine) -> nn.Module:
    return kind().to(engine.device, memory_format=torch.channels_last)


def _parameters(parts: dict[str, nn.Module]) -> list[nn.Parameter]:
    return [parameter for part in parts.values() for parameter in part.parameters()]


def _save(job: Training, parts: dict[str, nn.Module]) -> str:
    """Writes the parts in half precision; returns their manifest rows."""
    job.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for role, part in parts.items():
        stored = {name: tensor.detach().cpu().half().contiguous() for name, tensor in part.state_dict().items()}
        save_tensors(stored, job.output / f"{role}.safetensors")
        rows.append(_row(job, role, type(part).__name__.lower()))
    return "\n".join(rows)


def _row(job: Training, role: str, architecture: str) -> str:
    """The manifest's row for a finished component, also written beside it."""
    content = (job.output / f"{role}.safetensors").read_bytes()
    row = (
        f'[components.{role}]\narchitecture = "{architecture}"\nfile = "default/{role}.safetensors"\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nsize = {len(content)}\n'
        f'recipe = "recipes/train/{job.names()[0].removeprefix("train-")}.yaml"\nseed = {job.seed}\n'
    )  # fmt: skip
    (job.output / f"{role}.toml").write_text(row, encoding="utf-8")
    return row

