"""Invert: a photo as the generator holds it, found once and used many times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..errors import RecipeError
from ..progress import Progress, silent
from .operation import Face, FilePath, Flag, Task, operation

if TYPE_CHECKING:
    from ..engine import Engine
    from ..engine.inverting import Inverted

SHOWN = 512  # height of the preview, px


@operation
class Invert(Task):
    """Invert a photo: find the codes and the feature with which the generator gives it back, for `--inversion`."""

    example: ClassVar[str] = "styleheat invert alice.jpg -o alice.safetensors --weights styleheat --method optimise"

    kind: Literal["invert"] = "invert"
    path: FilePath
    """The photo. It is never written to."""
    output: Annotated[FilePath | None, Flag(short="-o", unit="file")] = None
    """File to write (.safetensors), beside the photo unless told otherwise; a preview of the same name (.png) joins it."""
    method: Literal["auto", "encode", "hfgi", "optimise"] = "auto"
    """encode: the encoder alone; hfgi: with what it loses (published weights); optimise: fitted; auto: the best encoder."""
    steps: Annotated[int, Field(ge=1, le=5000)] = 250
    """With optimise, at most so many steps; it ends sooner when it no longer gets better."""
    face: Face = "largest"
    """Which face: largest, left, right, or its number as `styleheat faces` lists it."""
    weights: str = "default"
    """Family of weights: default, styleheat, or the path of a manifest."""
    overwrite: Annotated[bool, Flag(short="-y")] = False
    """Overwrite files that exist."""

    def inputs(self) -> tuple[Path, ...]:
        return (self.path,)

    def run(self, engine: Engine, progress: Progress = silent) -> dict[str, Any]:
        """What was written, and how near the generator comes to the photo."""
        from ..engine.inverting import invert_photo

        output, method = self._output(), self._method(engine)
        made = invert_photo(engine, self.path, method, self.steps, self.face, progress)
        near = likeness(made)
        self._write(output, made, {"method": method, "family": engine.family.name, **{k: str(v) for k, v in near.items()}})
        preview = output.with_suffix(".png")
        return {"output": str(output), "preview": str(preview), "method": method, "weights": engine.family.name, **near}

    def _output(self) -> Path:
        from ..media.output import check_output

        output = self.output or self.path.with_suffix(".safetensors")
        if output.suffix.lower() != ".safetensors":
            raise RecipeError(f"{output.name}: an inversion ends in .safetensors", hint="-o alice.safetensors")
        for path in (output, output.with_suffix(".png")):
            check_output(path, overwrite=self.overwrite, inputs=[self.path], needed_bytes=30_000_000)
        return output

    def _method(self, engine: Engine) -> str:
        known = engine.painter.methods
        if self.method != "auto" and self.method not in known:
            raise RecipeError(f"--method {self.method}: the {engine.family.name} weights have none", hint="known: " + ", ".join(known))
        return known[0] if self.method == "auto" else self.method

    def _write(self, output: Path, made: Inverted, about: dict[str, str]) -> None:
        """The inversion, and the photo beside what comes back of it."""
        from .. import __version__
        from ..engine.inversion import write_inversion
        from ..engine.inverting import square_of
        from ..media.output import part_of
        from ..media.sheet import side_by_side
        from ..media.still import save_image

        source = {"source": self.path.name, "source_digest": made.shot.clip.digest, "styleheat": __version__}
        write_inversion(output, made.inversion, {**source, "square": square_of(made.shot), **about})
        with part_of(output.with_suffix(".png")) as part:
            save_image(part, side_by_side([made.picture, made.given_back], SHOWN), ".png", {})


def likeness(made: Inverted) -> dict[str, float]:
    """PSNR (dB, RGB) and SSIM (luma) of what comes back, over the whole square."""
    from ..metrics.fidelity import psnr
    from ..metrics.metric import luma
    from ..metrics.ssim import ssim

    return {
        "psnr": round(psnr(made.given_back, made.picture), 2),
        "ssim": round(ssim(luma(made.given_back), luma(made.picture)), 4),
    }
