"""What is compared: groups of golden entries, each computed by our code from the fixture's weights and inputs.

A group yields (name, array) pairs; names are golden entries without their reduction. The order matters only for
memory: a group that is the last to need a heavy network lets it go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from styleheat_cli.engine import inversion
from styleheat_cli.engine.attributes import ATTRIBUTES, edit
from styleheat_cli.engine.inversion import Inversion
from styleheat_cli.engine.published import animate
from styleheat_cli.face import align_published as align
from styleheat_cli.networks import bfm
from styleheat_cli.networks.layers import resize
from styleheat_cli.networks.recon import motion_coefficients, split_coefficients
from styleheat_cli.networks.stylegan2 import Conditions, Synthesis, truncate
from styleheat_cli.networks.warper import deformation, warp

from .fixture import Fixture
from .golden import Golden
from .rule import to_bytes

Pairs = Iterator[tuple[str, Any]]


@dataclass(frozen=True)
class Group:
    """One group of entries and the seconds it takes on two cores; `slow` where that is more than a few."""

    name: str
    run: Callable[[Fixture, Golden], Pairs]
    seconds: float

    @property
    def slow(self) -> bool:
        return self.seconds > 4


GROUPS: dict[str, Group] = {}


def group(name: str, seconds: float) -> Callable[[Callable[[Fixture, Golden], Pairs]], Callable]:
    """Register a group of entries whose names begin with `name`."""

    def register(run: Callable[[Fixture, Golden], Pairs]) -> Callable:
        GROUPS[name] = Group(name, run, seconds)
        return run

    return register


@group("flow", 0.3)
def flow(fixture: Fixture, golden: Golden) -> Pairs:
    look = deformation(fixture.flow("flow", 2, 64))
    feature = fixture.normal("feature64", (2, 6, 64, 64))
    yield "deformation", look
    yield "warp_same_size", warp(feature, look)
    yield "warp_zero_flow", warp(feature[:1], deformation(torch.zeros(1, 2, 64, 64)))
    yield "warp_to_256", warp(fixture.picture, look)
    oblong = deformation(fixture.normal("flow_rect", (1, 2, 24, 40), 0, 2))
    yield "deformation_rect", oblong
    yield "warp_rect", warp(fixture.normal("feature_rect", (1, 3, 24, 40)), oblong)


@group("bfm", 0.1)
def face_model(fixture: Fixture, golden: Golden) -> Pairs:
    coefficients = fixture.normal("bfm_coeff", (2, 257), 0, 0.3)
    parts = split_coefficients(coefficients)
    yield "split/id", parts.identity
    yield "split/exp", parts.expression
    yield "split/tex", parts.texture
    yield "split/angle", parts.angles
    yield "split/gamma", parts.lighting
    yield "split/trans", parts.translation
    face = bfm.reconstruct(bfm.FaceModel.from_fields(fixture.published("bfm_small")), coefficients)
    yield "shape", face.shape
    yield "rotation", face.rotation
    yield "normal", face.normals
    yield "vertex", face.vertices
    yield "texture", face.texture
    yield "color", face.colours
    yield "landmarks", face.landmarks


@group("align", 2)
def alignment(fixture: Fixture, golden: Golden) -> Pairs:
    landmarks = golden.arrays["align/input/landmarks68"]
    standard = golden.arrays["align/face_lm3d_five"]
    picture = to_bytes(fixture.inputs.image("picture256", 1, 256)[0])
    yield "input/landmarks68", landmarks
    yield "face_lm3d_five", standard
    yield "lm3d_five", align.five_points(fixture.network("standard_face").lm.numpy())
    five = align.five_points(align.flipped(landmarks, 256))
    yield "five_points", five
    position, size = align.fit_pose(five, standard)
    yield "pos_t", position
    yield "pos_s", size
    face = align.crop_face(picture, landmarks, standard)
    yield "params", np.concatenate([[256, 256], face.crop])
    yield "landmarks_224", face.landmarks
    yield "image_224_rows", face.image[::37]
    second = to_bytes(fixture.inputs.image("picture256_b", 1, 256)[0])
    faces = [face, align.crop_face(second, 0.95 * landmarks + 4, standard)]
    images = torch.from_numpy(np.stack([f.image for f in faces])).permute(0, 3, 1, 2) / 255.0
    crops = torch.from_numpy(np.stack([f.crop for f in faces]))
    yield "extracted_73", motion_coefficients(fixture.network("recon")(images), crops)
    large = np.asarray(Image.fromarray(picture).resize((512, 512), Image.Resampling.BICUBIC))
    aligned = align.ffhq_crop(large, 2 * landmarks)
    yield "ffhq_256_rows", aligned[::43]
    yield "ffhq_256_mean", aligned.mean((0, 1))


@group("deep3d", 1)
def recon(fixture: Fixture, golden: Golden) -> Pairs:
    yield "coefficients", fixture.network("recon")((fixture.image("face224", 2, 224) + 1) / 2)
    fixture.release("recon")


@group("irse50", 5)
def identity(fixture: Fixture, golden: Golden) -> Pairs:
    faces = fixture.image("face112", 2, 112)
    yield "raw", fixture.network("identity")(faces)
    yield "unit", fixture.network("identity").embed(faces)
    fixture.release("identity")


@group("discriminator", 6)
def discriminator(fixture: Fixture, golden: Golden) -> Pairs:
    pictures = fixture.image("critic256", 4, 256)
    yield "batch4", fixture.network("critic")(pictures)
    yield "batch1", fixture.network("critic")(pictures[:1])
    fixture.release("critic")


def warper(role: str, window: str) -> Callable[[Fixture, Golden], Pairs]:
    def run(fixture: Fixture, golden: Golden) -> Pairs:
        network = fixture.network(role)
        motion = network(network.prepare(fixture.picture), getattr(fixture, window))
        yield "flow", motion.flow
        yield "descriptor", motion.descriptor
        yield "warp_image", warp(fixture.picture, motion.deformation)

    return run


group("video_warper", 2)(warper("motion", "windows"))
group("audio_warper", 1)(warper("speech", "mel"))


@group("calibrator", 2)
def calibrator(fixture: Fixture, golden: Golden) -> Pairs:
    network = fixture.network("calibration")
    warped, descriptor = fixture.normal("fx_warp", (2, 512, 64, 64)), fixture.normal("descriptor", (2, 256, 1))
    for i, condition in enumerate(network.all_conditions(warped, descriptor)):
        yield f"condition{i}", condition
    last = network(warped, descriptor)
    yield "condition6", last[0]
    yield "condition7", last[1]


@group("hfgi/aligner", 0.5)
def aligner(fixture: Fixture, golden: Golden) -> Pairs:
    yield "", fixture.network("aligner")(fixture.image("residual256", 2, 256), fixture.picture)


@group("hfgi/encoder", 1)
def consultation(fixture: Fixture, golden: Golden) -> Pairs:
    scale, shift = fixture.network("refiner")(fixture.image("residual256", 2, 256))
    yield "scale", scale
    yield "shift", shift


@group("stylegan2/mapping", 2)
def mapping(fixture: Fixture, golden: Golden) -> Pairs:
    yield "", fixture.network("generator").map(fixture.normal("z", (4, 512)))


@group("stylegan2/trace", 4)
def trace(fixture: Fixture, golden: Golden) -> Pairs:
    for level in fixture.network("generator").trace(fixture.codes[:1], Conditions()):
        yield f"{level.size}/feature", level.feature
        yield f"{level.size}/rgb", level.rgb


def synthesis(name: str, seconds: float) -> Callable:
    """Register a run of the generator that gives a picture and f."""

    def register(make: Callable[[Fixture], Synthesis | tuple[Synthesis, dict[str, Tensor]]]) -> Callable:
        @group(f"stylegan2/{name}", seconds)
        def run(fixture: Fixture, golden: Golden) -> Pairs:
            made = make(fixture)
            made, more = made if isinstance(made, tuple) else (made, {})
            yield "image", made.image
            yield "f", made.f
            yield from more.items()

        return run

    return register


def w_codes(fixture: Fixture) -> Tensor:
    """(4, 512)."""
    return fixture.network("generator").map(fixture.normal("z", (4, 512)))


def inversion_condition(fixture: Fixture) -> tuple[Tensor, Tensor]:
    return tuple(fixture.normal(f"inv_{part}", (2, 512, 64, 64), 0, 0.3) for part in ("scale", "shift"))


def refining(fixture: Fixture) -> tuple[Tensor, Tensor]:
    """The last pair of the calibrator's eight; the others are never used."""
    return tuple(fixture.normal(f"refine{i}", (2, 512, 64, 64), 0, 0.3) for i in (6, 7))


@synthesis("plain", 6)
def plain(fixture: Fixture) -> Synthesis:
    return fixture.network("generator")(fixture.codes)


@synthesis("single_w", 3)
def single_w(fixture: Fixture) -> tuple[Synthesis, dict[str, Tensor]]:
    generator = fixture.network("generator")
    made = generator(generator.w_plus(w_codes(fixture)[:1]))
    return made, {"latent": made.codes}


@synthesis("truncated", 3)
def truncated(fixture: Fixture) -> Synthesis:
    generator, w = fixture.network("generator"), w_codes(fixture)
    return generator(generator.w_plus(truncate(w[:1], w.mean(0, keepdim=True), 0.6)))


@synthesis("mixed", 3)
def mixed(fixture: Fixture) -> tuple[Synthesis, dict[str, Tensor]]:
    generator, w = fixture.network("generator"), w_codes(fixture)
    made = generator(generator.w_plus(w[:1], w[1:2], splice_at=6))
    return made, {"latent_rows": made.codes[:, 4:8]}


@synthesis("inversion", 3)
def with_inversion(fixture: Fixture) -> Synthesis:
    scale, shift = inversion_condition(fixture)
    return fixture.network("generator")(fixture.codes[1:], Conditions(inversion=(scale[1:], shift[1:])))


@synthesis("f_condition", 3)
def with_f(fixture: Fixture) -> Synthesis:
    return fixture.network("generator")(fixture.codes[1:], Conditions(f=fixture.replacing[1:]))


@synthesis("warp_single", 3)
def with_warp(fixture: Fixture) -> Synthesis:
    look = deformation(fixture.flow("flow", 2, 64))
    return fixture.network("generator")(fixture.codes[:1], Conditions(warps=[look[:1]]))


@synthesis("warp_list", 3)
def with_warps(fixture: Fixture) -> Synthesis:
    looks = [deformation(fixture.flow(name, 2, 64))[1:] for name in ("flow", "flow_second")]
    return fixture.network("generator")(fixture.codes[1:], Conditions(warps=looks))


@synthesis("refine", 3)
def with_refining(fixture: Fixture) -> Synthesis:
    scale, shift = refining(fixture)
    return fixture.network("generator")(fixture.codes[:1], Conditions(refining=(scale[:1], shift[:1])))


@synthesis("all", 6)
def with_all(fixture: Fixture) -> Synthesis:
    look = deformation(fixture.flow("flow", 2, 64))
    conditions = Conditions(inversion_condition(fixture), fixture.replacing, [look], refining(fixture))
    return fixture.network("generator")(fixture.codes, conditions)


@group("e4e", 12)
def encoder(fixture: Fixture, golden: Golden) -> Pairs:
    network = fixture.network("encoder")
    offsets = network(fixture.picture)
    yield "codes", offsets
    yield "codes_plus_avg", fixture.network("average_code")(offsets)
    x = network.input_layer(fixture.picture)
    for i, unit in enumerate(network.body):
        x = unit(x)
        if i in (0, 6, 20, 23):
            yield f"body{i}", x


@group("hfgi/encode_1024", 6)
def encode(fixture: Fixture, golden: Golden) -> Pairs:
    made = encoded(fixture)
    yield "wx", made.codes
    yield "ix", made.image
    yield "residual", made.residual


def encoded(fixture: Fixture) -> inversion.Encoding:
    return fixture.once("encode_1024", lambda: inversion.encode(fixture.inverter, fixture.image("image1024", 1, 1024)))


@group("hfgi/inverse", 15)
def inverse(fixture: Fixture, golden: Golden) -> Pairs:
    made = inversion.invert(fixture.inverter, fixture.picture)
    yield "wx", made.codes
    yield "image", made.image
    yield "fx", made.f
    yield "scale", made.condition[0]
    yield "shift", made.condition[1]


@group("hfgi/decode_1024", 5)
def decode(fixture: Fixture, golden: Golden) -> Pairs:
    yield "image", inversion.decode(fixture.inverter, encoded(fixture), 1024).image


@group("hfgi/edit", 18)
def edits(fixture: Fixture, golden: Golden) -> Pairs:
    encoding = encoded(fixture)
    for name in ATTRIBUTES.keys() - {"age"}:  # ours: `old` by the direction's own name
        codes = edit(encoding.codes, name, fixture.network("directions"), fixture.network("components"))
        yield f"{name}/wx", codes
        if name in ("young", "beard"):
            made = inversion.edited(fixture.inverter, encoding, codes)
            yield f"{name}/image", made.image
            yield f"{name}/fx", made.f
            yield f"{name}/scale", made.condition[0]


def source(fixture: Fixture) -> Inversion:
    """S of the specification: the first picture, inverted alone.

    By the plain convolutions, one of the two back ends that the fixtures know: oneDNN adds up in another order where a
    processor has no AVX-512, and two resamplings of a steep flow make much of it.
    """

    def made() -> Inversion:
        with torch.backends.mkldnn.flags(enabled=False):
            return inversion.invert(fixture.inverter, fixture.picture[:1])

    return fixture.once("source", made)


def frames(made: Any) -> Pairs:
    yield "fake_image", made.image
    yield "video_warp_image", made.video_warped
    if made.audio_warped is not None:
        yield "audio_warp_image", made.audio_warped
    yield "fx_warp", made.f


@group("styleheat/visual_1024", 20)
def visual_large(fixture: Fixture, golden: Golden) -> Pairs:
    yield from frames(animate(fixture.method, source(fixture), fixture.windows, size=1024))


@group("styleheat/visual_512", 15)
def visual(fixture: Fixture, golden: Golden) -> Pairs:
    yield from frames(animate(fixture.method, source(fixture), fixture.windows[:1]))


@group("styleheat/no_inversion_condition_1024", 10)
def without_condition(fixture: Fixture, golden: Golden) -> Pairs:
    made = source(fixture)
    brighter = Inversion(1.5 * made.image, made.codes, made.f)
    yield from frames(animate(fixture.method, brighter, fixture.windows[1:], size=1024))


@group("styleheat/audio_1024", 12)
def audio_large(fixture: Fixture, golden: Golden) -> Pairs:
    yield from frames(animate(fixture.method, source(fixture), fixture.windows[:1], fixture.mel[:1], size=1024))


@group("styleheat/audio_512", 12)
def audio(fixture: Fixture, golden: Golden) -> Pairs:
    yield from frames(animate(fixture.method, source(fixture), fixture.windows[:1], fixture.mel[:1]))
    fixture.release("motion", "calibration", "speech")


@group("optimise", 60)
def optimise(fixture: Fixture, golden: Golden) -> Pairs:
    vgg, prior = fixture.network("perceptual"), fixture.network("prior")
    fake, picture = fixture.image("image1024", 1, 1024), fixture.image("image1024_second", 1, 1024)
    drift = fixture.normal("feature_f1", (1, 512, 64, 64)) - fixture.replacing[:1]
    target = inversion.target_of(vgg, picture)
    yield "loss", inversion.losses(vgg, prior, fake, target, fixture.codes[:1], drift).numbers()
    for name, feature in vgg(resize(fake, inversion.SIDE)).items():
        yield f"vgg_mean/{name}", feature.mean()
    steps: list[inversion.Step] = []
    with torch.enable_grad():
        made = inversion.optimise(
            fixture.inverter, vgg, prior, fixture.picture[:1], steps=2, on_step=lambda step: steps.append(step)
        )
    yield "run2/losses", torch.stack([step.losses for step in steps])
    yield "run2/image", made.image
    yield "run2/f", made.f
