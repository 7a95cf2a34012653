"""Train: the jobs that made the embedded family, on a folder of clips and portraits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..progress import Progress, silent
from .operation import FilePath, Flag, Task, operation

if TYPE_CHECKING:
    from ..engine import Engine


class Training(Task):
    """What all training jobs are told."""

    data: Annotated[FilePath, Flag(unit="folder")]
    """Folder of clips and portraits; an index.json in it may say who is who."""
    held_out: Annotated[FilePath | None, Flag(unit="yaml")] = None
    """Lists of file names that are kept for evaluation and never seen in training."""
    work: Annotated[FilePath, Flag(unit="folder")] = Path("out/train")
    """Folder for landmarks, training pairs, logs, sample sheets and unfinished training; a job that was stopped goes on from there."""
    output: Annotated[FilePath, Flag(unit="folder")] = Path("out/train/default")
    """Folder for the finished weights, each with the manifest row that describes it."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of everything random."""

    def inputs(self) -> tuple[Path, ...]:
        return (self.data,) if self.held_out is None else (self.data, self.held_out)


@operation
class TrainMorphable(Training):
    """Make the landmark morphable model: mean, identity and expression of faces, from their landmarks alone.

    The embedded family generates motion with it: the same as `train motion`.
    """

    example: ClassVar[str] = "styleheat train morphable --data clips/"

    kind: Literal["train-morphable", "train-motion"] = "train-morphable"
    identities: Annotated[int, Field(ge=2, le=200)] = 50
    """Components of identity."""
    frames_per_person: Annotated[int, Field(ge=1)] = 240
    """At most so many frames of one person count."""

    def run(self, engine: Engine, progress: Progress = silent) -> Any:
        from ..training.jobs import make_morphable

        return make_morphable(self, progress)


@operation
class TrainAttributes(Training):
    """Learn from labelled portraits what age, beards, lips, smiles and grey hair do to a face (labels.json in the folder)."""

    example: ClassVar[str] = "styleheat train attributes --data portraits/"

    kind: Literal["train-attributes"] = "train-attributes"

    def run(self, engine: Engine, progress: Progress = silent) -> Any:
        from ..training.jobs import make_attributes

        return make_attributes(self, engine, progress)


@operation
class TrainCodec(Training):
    """Train encoder and generator: to give a picture back, and to commute with warping.

    The same as `train generator`.
    """

    example: ClassVar[str] = "styleheat train codec --data clips/ --steps 1300"

    kind: Literal["train-codec", "train-generator"] = "train-codec"
    steps: Annotated[int, Field(ge=1)] = 1300
    """Steps of the optimiser."""
    batch: Annotated[int, Field(ge=1)] = 16
    """Patches of 128 pixels in a step."""
    rate: Annotated[float, Field(gt=0)] = 2e-3
    """Learning rate after the warm-up."""
    frames_per_clip: Annotated[int, Field(ge=1)] = 14
    """Frames taken from each clip."""
    smallest: Annotated[int, Field(ge=32), Flag(unit="pixels")] = 270
    """Clips and portraits whose head square is smaller are left out."""

    def run(self, engine: Engine, progress: Progress = silent) -> Any:
        from ..training.jobs import train_codec

        return train_codec(self, engine, progress)


@operation
class TrainSpeech(Training):
    """Train the mouth that goes with a voice, and learn how speaking heads sway and blink, from clips with sound."""

    example: ClassVar[str] = "styleheat train speech --data clips/"

    kind: Literal["train-speech"] = "train-speech"
    steps: Annotated[int, Field(ge=2)] = 1000
    """Steps of the optimiser."""
    batch: Annotated[int, Field(ge=8)] = 16
    """Windows of two seconds in a step."""
    rate: Annotated[float, Field(gt=0)] = 2e-3
    """Learning rate after the warm-up."""
    keep_mouth: bool = False
    """Keep how the mouth moves as the weights in use know it; what is learnt anew is to listen: to voices, sounds, lips that meet."""

    def run(self, engine: Engine, progress: Progress = silent) -> Any:
        from ..training.jobs import train_speech

        return train_speech(self, engine, progress)


@operation
class TrainCalibration(Training):
    """Train the calibration: one frame's mouth and lids from another frame of the same person, where a mouth opens or a lid comes down."""

    example: ClassVar[str] = "styleheat train calibration --data clips/ --steps 2400"

    kind: Literal["train-calibration"] = "train-calibration"
    steps: Annotated[int, Field(ge=1)] = 2400
    """Steps of the optimiser."""
    batch: Annotated[int, Field(ge=2)] = 12
    """Pairs of windows in a step, two mouths to each eye."""
    rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of the calibration after the warm-up; encoder and generator follow at a third."""
    pairs_per_clip: Annotated[int, Field(ge=1)] = 170
    """Pairs of mouths taken from each clip; half as many of eyes."""
    smallest: Annotated[int, Field(ge=32), Flag(unit="pixels")] = 270
    """Clips whose head square is smaller are left out."""

    def run(self, engine: Engine, progress: Progress = silent) -> Any:
        from ..training.jobs import train_calibration

        return train_calibration(self, engine, progress)
