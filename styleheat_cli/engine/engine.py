"""Engine: the only one who loads weights, by role, from a family; it turns files into shots and shots into frames."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoints.manifest import Component, Family, load_family
from ..errors import CheckpointError, MachineError
from ..progress import Progress, silent
from ..shot import Clip, FaceTrack, Frame, MotionTrack, Shot, Utterance

if TYPE_CHECKING:
    import torch

    from ..face.morphable import Morphable
    from ..face.shoulders import Shoulders
    from ..networks.speech import Speech
    from ..shot import Speech as Spoken
    from .appearance_edit import Appearance
    from .heal import Healing
    from .inversion import Inversion
    from .retarget import Controls
    from .stream import Painter

log = logging.getLogger(__name__)

SMOOTH_S = 0.05  # seconds over which a driver's motion is smoothed unless told otherwise
HEAVY_S = 0.2  # ... and its shoulders at least: what is heavy does not tremble


class Engine:
    """A family of weights on a device: components by role, each loaded when it is first needed.

    device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`. Raises MachineError where there is no such device.
    without: `calibration` (no mouth is healed) or `detail` (all pixels are the generator's): what a part is good for.
    dtype: `auto`, `float32`, `bf16` or `fp16`, for what a family can do in a half type; `auto` takes one on GPUs only.
    compiled: whether a family's networks are compiled where they can be.
    """

    def __init__(
        self, weights: str | Path = "default", device: str = "auto", seed: int = 0, checkpoints: Path | None = None,
        dtype: str = "auto", compiled: bool = False, without: Collection[str] = (),
    ):  # fmt: skip
        self.family: Family = load_family(weights, checkpoints)
        self.wanted_device, self.wanted_dtype, self.seed = device, dtype, seed
        self.compiled, self.without = compiled, frozenset(without)

    @cached_property
    def device(self) -> torch.device:
        return find_device(self.wanted_device)

    @cached_property
    def dtype(self) -> torch.dtype:
        import torch

        if self.wanted_dtype == "auto":
            half = self.device.type == "cuda" and has_bfloat16(self.device)
            return torch.bfloat16 if half else torch.float32
        return {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.wanted_dtype]

    @cached_property
    def painter(self) -> Painter:
        """How this family makes pictures: the architecture of its generator decides."""
        if self.family.component("generator").architecture == "stylegan2":
            from .published_pass import Published

            return Published(self)
        from .performance import Performer

        return Performer(self)

    @cached_property
    def morphable(self) -> Morphable:
        """The landmark morphable model: the family's own, or the embedded one, in whose space all edits are made."""
        from safetensors.numpy import load_file

        from ..face.morphable import Morphable

        arrays = load_file(self._embedded("recon", "morphable").path())
        try:
            return Morphable(**{k: v.astype(np.int64 if v.dtype.kind == "i" else np.float64) for k, v in arrays.items()})
        except TypeError as error:
            raise CheckpointError(f"the recon weights of {self.family.name} are of another kind: {error}") from None

    @cached_property
    def appearance(self) -> Appearance:
        """What labelled portraits say of age, beards, lips, smiles and grey hair."""
        from safetensors.numpy import load_file

        from .appearance_edit import Appearance

        arrays = load_file(self.family.component("attributes").path())
        try:
            return Appearance(**{name: value.astype(np.float32) for name, value in arrays.items()})
        except TypeError as error:
            raise CheckpointError(f"the attributes of {self.family.name} are of another kind: {error}") from None

    @cached_property
    def triangles(self) -> np.ndarray:
        from .mesh import triangles

        return triangles(self.morphable)

    @cached_property
    def mouth_moves(self) -> np.ndarray:
        """(2, 64): the expressions that part the lips and widen the mouth."""
        from .response import mouth_moves

        return mouth_moves(self.morphable)

    @cached_property
    def healing(self) -> Healing:
        """Encoder, generator and calibration, ready to run."""
        from ..networks.codec import Encoder, Generator
        from ..networks.healer import Healer
        from .heal import Healing

        roles = {"encoder": Encoder, "generator": Generator, "calibration": Healer}
        return Healing(*(self._network(self.family.component(role), kind) for role, kind in roles.items()))

    def _embedded(self, role: str, architecture: str) -> Component:
        """The family's own component where it is of this architecture, else the embedded family's: edits share its space."""
        own = self.family.components.get(role)
        return own if own and own.architecture == architecture else load_family("default").component(role)

    def _network(self, component: Component, kind: type) -> Any:
        network = kind(**component.config)
        network.load_state_dict(component.state_dict())
        return network.eval().requires_grad_(False).to(self.device)

    def motion_of(
        self, path: Path, *, face: str | int = "largest", start_s: float | None = None, end_s: float | None = None,
        on_missing_face: str = "keep", smooth_s: float = SMOOTH_S, progress: Progress = silent, since: Shot | None = None,
    ) -> MotionTrack:  # fmt: skip
        """How the face in a video moves, or what a motion file says; smoothed without lag over `smooth_s` seconds, its shoulders, where
        anything is smoothed, over HEAVY_S at least.

        since: another view of the same person in the same framing, from whose first picture the shoulders' way counts.
        """
        from ..media.motion_file import read_motion
        from .retarget import with_quick_lids

        path = Path(path)
        if path.suffix.lower() == ".safetensors":
            motion = _between(read_motion(path), start_s, end_s)
            motion = motion if since is None else motion.with_(shoulders=None)
        else:
            clip, track = self._track(path, face, start_s, end_s, on_missing_face, progress, _shoulders(path, since))
            from ..face.coefficients import motion_of

            motion = self.painter.read(motion_of(self.morphable, track, clip), track)
        return with_quick_lids(self.morphable, motion, smoothed(motion, smooth_s))

    def shot(
        self, path: Path, *, face: str | int = "largest", start_s: float | None = None, end_s: float | None = None,
        on_missing_face: str = "keep", progress: Progress = silent,
    ) -> Shot:  # fmt: skip
        """The source: its face tracked, its own motion, whose face it is. Nothing is edited yet."""
        from ..face.coefficients import motion_of, person_of

        clip, track = self._track(Path(path), face, start_s, end_s, on_missing_face, progress)
        person = person_of(self.morphable, track)
        own = self.painter.read(motion_of(self.morphable, track, clip, person), track)
        return Shot(clip, track, own, own, person)

    def _track(self, path, face, start_s, end_s, on_missing_face, progress, shoulders=None) -> tuple[Clip, FaceTrack]:
        from ..face.track import track
        from ..media.ahead import ahead
        from ..media.reader import frames, probe

        clip = probe(path)
        total = _count(clip, start_s, end_s)
        found = track(
            ahead(frames(clip, start_s, end_s), 4), select=face, height=clip.height, width=clip.width,
            on_missing=on_missing_face, total=total, progress=progress, file=clip.path, shoulders=shoulders,
        )  # fmt: skip
        return clip, self.painter.framed(found)

    def retarget(self, shot: Shot, driving: MotionTrack, times: np.ndarray, controls: Controls) -> MotionTrack:
        """What the source, as earlier steps left it, performs at these times when it follows the driver."""
        from .bridge import followed
        from .retarget import retarget

        made = retarget(self.morphable, shot.motion, driving, times, controls)
        return made.with_(reading=followed(self.morphable, shot.motion, driving, made, controls))

    @cached_property
    def voice(self) -> Speech:
        """The speech role: the family's own, or the embedded one, in whose space all edits are made."""
        from ..networks.speech import Speech

        return self._network(self._embedded("speech", "speech"), Speech)

    def hear(self, path: Path, start_s: float = 0.0, end_s: float | None = None) -> Spoken:
        """What is said in a file between two times."""
        from ..media.audio import hear

        return hear(path, start_s, end_s)

    def enliven(self, shot: Shot) -> Shot:
        """The shot with a head that sways and blinks as people do who speak."""
        from .life import enlivened

        return shot.with_(motion=enlivened(self.morphable, self.voice, shot.motion, self.seed))

    def speak(self, shot: Shot, speech: Spoken, gain: float = 1.0) -> Shot:
        """The shot with a lower face that says the speech, whose first moment is that of the first row.

        Where the family moves the lips by the sound itself, they rest in the motion.
        """
        from .speech import mouth_of, speak

        times, hears = shot.motion.times, self.painter.hears
        mouth = mouth_of(self.voice, speech, times - times[0])
        said = Utterance(speech, float(times[0]), "audio-warper" if hears else "coefficients", gain * mouth.voice, times)
        mouth = replace(mouth, voice=0 * mouth.voice) if hears else mouth
        return shot.with_(motion=speak(self.morphable, shot.own, shot.motion, mouth, gain), said=said)

    def inversion(self, path: Path, shot: Shot) -> Inversion:
        """A saved inversion of this very face with this family. Raises InputError for any other."""
        from .inverting import given

        return given(path, shot, self.family)

    def render(self, shot: Shot, *, size: int | None = None, crop: bool = False) -> Iterator[Frame]:
        """The frames of the shot's motion, in order: full frames, or the aligned square of `size` pixels."""
        from .stream import perform

        return perform(self.painter, shot, size=size, crop=crop)

    def reconstruct(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A head's crop (512, 512, 3) uint8 through the pass with its own motion, and by encoder and generator alone."""
        from .stream import reconstruct

        return reconstruct(self, image)


def find_device(name: str) -> torch.device:
    """The device asked for; `auto` takes the best there is."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MachineError(f"no device {name} here: {str(error).splitlines()[0]}", hint="pass --device cpu") from None
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether it computes in bfloat16 by itself; a processor that imitates it takes seven times as long as in float32."""
    import torch

    if device.type == "cpu":
        able = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
        return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def smoothed(motion: MotionTrack, seconds: float) -> MotionTrack:
    """The motion smoothed without lag over this many seconds, never across cuts or gaps."""
    from ..face.smooth import smooth

    if seconds <= 0 or len(motion.times) < 3:
        return motion
    coeffs = smooth(motion.coeffs, motion.times, seconds, cuts=motion.cuts, seen=motion.seen)
    shoulders = motion.shoulders
    if shoulders is not None:
        shoulders = smooth(shoulders, motion.times, max(seconds, HEAVY_S), cuts=motion.cuts, seen=motion.seen)
    reading = motion.reading and replace(motion.reading, bfm=smoothed(motion.reading.bfm, seconds))
    return motion.with_(coeffs=coeffs.astype(np.float32), shoulders=shoulders, reading=reading)


def _shoulders(path: Path, since: Shot | None) -> Shoulders:
    """Who follows the shoulders of a video, from its first picture or from that of another view."""
    import cv2

    from ..face.shoulders import Shoulders
    from ..media.reader import frames, probe

    shoulders = Shoulders()
    if since is not None:
        first = None if since.clip.still else float(since.face.times[0])
        image, scale = next(iter(frames(since.clip, first))).image, probe(path).width / since.clip.width
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        shoulders.step(image, scale * np.asarray(since.face.landmarks[0]))
    return shoulders


def _between(motion: MotionTrack, start_s: float | None, end_s: float | None) -> MotionTrack:
    start, end = start_s or 0.0, np.inf if end_s is None else end_s
    keep = (motion.times >= start - 1e-9) & (motion.times < end - 1e-9)
    return motion.of_rows(keep, motion.times[keep])


def _count(clip: Clip, start_s: float | None, end_s: float | None) -> int:
    if clip.still or (start_s is None and end_s is None):
        return clip.frames
    span = min(float(clip.duration_s), end_s or float("inf")) - (start_s or 0.0)
    return max(0, round(span * float(clip.fps)))
