"""The fast path is the same function: folded, entered at f, in a half type where asked."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from styleheat_cli.engine.compiled import Compiler
from styleheat_cli.engine.engine import has_bfloat16
from styleheat_cli.engine.inversion import Inversion
from styleheat_cli.engine.published import Animator, Method, animate, in_batches
from styleheat_cli.networks.calibration import CalibrationNet
from styleheat_cli.networks.folded import fold
from styleheat_cli.networks.stylegan2 import Conditions, Generator
from styleheat_cli.networks.warper import AudioWarper, VideoWarper

from .fixture import Fixture
from .golden import parity_folder

ROUNDING = 1e-5
"""Share of the picture's standard deviation: some hundred float32 roundings, as between two orders of summation."""


def shaken(network):
    """The network with numbers in its biases too, so that none of them goes unnoticed."""
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=1.0 if "modulation" in name else 0.0, std=0.3)
    return network.eval().requires_grad_(False)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def method():
    """The published method at toy widths; f has 16 channels at its real 64 px."""
    torch.manual_seed(0)
    widths = {"widths": (8, 8, 8, 8), "decoder": (8, 8), "descriptor": 16}
    return Method(
        shaken(Generator(size=128, style=16, mapping_layers=2, channel_multiplier=1 / 16, max_channels=16)),
        shaken(VideoWarper(**widths)),
        shaken(CalibrationNet(inputs=16, channels=8, descriptor=16)),
        shaken(AudioWarper(**widths)),
    )


@pytest.fixture(scope="module")
def source(method):
    codes = torch.randn(1, method.generator.rows, 16)
    condition = (0.3 * torch.randn(1, 16, 64, 64), torch.randn(1, 16, 64, 64))
    f = method.generator(codes, Conditions(inversion=condition)).f
    return Inversion(torch.rand(1, 3, 256, 256) * 2 - 1, codes, f, condition)


def distance(ours, reference):
    """Root mean square of the difference in standard deviations of the reference."""
    return float((ours - reference).square().mean().sqrt() / reference.std())


@pytest.mark.parametrize("channels_last", [True, False])
def test_the_folded_generator_is_the_unfolded_one_within_rounding(method, source, channels_last):
    f = torch.randn(3, 16, 64, 64)
    reference = method.generator(source.codes.expand(3, -1, -1), Conditions(f=f)).image
    layout = torch.channels_last if channels_last else torch.contiguous_format
    ours = fold(method.generator, source.codes, channels_last=channels_last)(f.contiguous(memory_format=layout))
    assert distance(ours, reference) < ROUNDING


def test_entering_at_f_is_the_whole_generator(method, source):
    f, codes = torch.randn(2, 16, 64, 64), source.codes.expand(2, -1, -1)
    whole = method.generator(codes, Conditions(f=f)).image
    assert torch.equal(method.generator.enter(f, codes, method.generator.skip(codes)), whole)


def test_frames_of_the_fast_path_are_those_of_the_method_in_any_batch(method, source):
    windows = torch.randn(5, 73, 27)
    reference = animate(method, source, windows, size=128).image
    animator = Animator(method, source, size=128)
    ours = torch.cat(list(in_batches(lambda part: animator(windows[part]), 5, 2)))
    assert distance(ours, reference) < ROUNDING


@pytest.mark.parametrize("size", [128, 96])
def test_speech_takes_the_same_way_in_both(method, source, size):
    windows, mel = torch.randn(2, 73, 27), torch.randn(2, 80, 32)
    reference = animate(method, source, windows, mel, size=size).image
    ours = Animator(method, source, size=size)(windows, mel)
    assert distance(ours, reference) < 1e-3  # two resamplings of a steep flow amplify rounding


def test_an_optimised_f_is_used_for_the_frame_and_not_for_the_intermediate_picture(method, source):
    optimised = Inversion(source.image, source.codes, source.f + 0.5, None)
    windows, mel = torch.randn(1, 73, 27), torch.randn(1, 80, 32)
    reference = animate(method, optimised, windows, mel, size=128).image
    assert distance(Animator(method, optimised, size=128)(windows, mel), reference) < 1e-3


def test_bfloat16_is_near(method, source):
    windows = torch.randn(2, 73, 27)
    reference = animate(method, source, windows, size=128).image
    ours = Animator(method, source, torch.bfloat16, size=128)(windows)
    assert 0 < distance(ours, reference) < 0.02  # bfloat16 keeps 8 bits: 0.2 % an operation


@pytest.mark.parametrize("spoken", [False, True])
def test_what_overflows_in_half_precision_is_made_again_in_float32(method, source, caplog, spoken):
    loud = Inversion(source.image, source.codes, 1e5 * source.f, source.condition)  # float16 ends at 65504
    windows, mel = torch.randn(1, 73, 27), torch.randn(1, 80, 32) if spoken else None
    with caplog.at_level(logging.WARNING):
        ours = Animator(method, loud, torch.float16, size=128)(windows, mel)
    assert "float16" in caplog.text
    assert distance(ours, animate(method, loud, windows, mel, size=128).image) < (1e-3 if spoken else ROUNDING)


def test_memory_that_runs_out_halves_the_batch_and_nothing_is_lost():
    asked = []

    def make(part):
        asked.append(part.stop - part.start)
        if asked[-1] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.arange(part.start, part.stop)

    assert torch.cat(list(in_batches(make, 10, 8))).tolist() == list(range(10))
    assert asked == [8, 4, 2, 2, 2, 2, 2]
    with pytest.raises(MemoryError):
        list(in_batches(lambda part: (_ for _ in ()).throw(torch.OutOfMemoryError("no")), 1, 4))
    with pytest.raises(RuntimeError, match="a bug"):
        list(in_batches(lambda part: (_ for _ in ()).throw(RuntimeError("a bug")), 1, 4))


class Counting(Compiler):
    """Compiles without a compiler: graphs are captured, whole, and run as they are."""

    def __init__(self, batch):
        super().__init__(batch, {"backend": self._count, "fullgraph": True})
        self.graphs = 0

    def _count(self, graph, examples):
        self.graphs += 1
        return graph.forward


def test_compiled_frames_are_the_same_and_each_network_is_one_graph(method, source):
    compiled, windows = Counting(2), torch.randn(5, 73, 27)
    other = Inversion(source.image.flip(3), source.codes.flip(1), source.f.flip(3), source.condition)
    for each in (source, other):  # another source, or a rest that is smaller than a batch, compiles nothing anew
        animator = Animator(method, each, size=128, compiled=compiled)
        ours = torch.cat(list(in_batches(lambda part, animator=animator: animator(windows[part]), 5, 2)))
        assert distance(ours, Animator(method, each, size=128)(windows)) < ROUNDING
        assert compiled.graphs == 3 and not compiled.off


def test_what_is_compiled_overflows_and_runs_out_of_memory_as_before(method, source, caplog):
    loud, windows = Inversion(source.image, source.codes, 1e5 * source.f, source.condition), torch.randn(4, 73, 27)
    animator = Animator(method, loud, torch.float16, size=128, compiled=Counting(4))

    def make(part):
        if part.stop - part.start > 2:
            animator(windows[part])
            raise torch.OutOfMemoryError("CUDA out of memory")
        return animator(windows[part])

    with caplog.at_level(logging.WARNING):
        ours = torch.cat(list(in_batches(make, 4, 4)))
    assert animator.compiled.graphs == 3 and "float16" in caplog.text and "batches of 2" in caplog.text
    assert distance(ours, animate(method, loud, windows, size=128).image) < ROUNDING


def test_a_compiled_batch_that_does_not_fit_gives_way_to_smaller_ones(method, source, caplog):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    windows = torch.randn(4, 73, 27)
    animator = Animator(method, source, size=128, compiled=Compiler(4, {"backend": lambda *_: full}))
    with caplog.at_level(logging.WARNING):
        ours = torch.cat(list(in_batches(lambda part: animator(windows[part]), 4, 4)))
    assert animator.compiled.off and "batches of 2" in caplog.text
    assert distance(ours, Animator(method, source, size=128)(windows)) < ROUNDING


def test_a_machine_without_a_compiler_is_told_once_and_the_frames_are_made(method, source, caplog):
    def broken(graph, examples):
        raise RuntimeError("No working C++ compiler found")

    windows, compiled = torch.randn(1, 73, 27), Compiler(1, {"backend": broken})
    with caplog.at_level(logging.WARNING):
        ours = [Animator(method, source, size=128, compiled=compiled)(windows) for _ in range(2)]
    (told,) = caplog.messages
    assert "No working C++ compiler" in told and "--compile" in told and "\n" not in told
    assert torch.equal(*ours) and distance(ours[0], Animator(method, source, size=128)(windows)) < ROUNDING


@pytest.mark.slow  # a minute: the compiler's
@pytest.mark.skipif(not shutil.which("g++"), reason="no g++ here to compile with")
def test_frames_are_the_same_within_rounding_when_really_compiled(method, source, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    compiled, windows = Compiler.of(torch.device("cpu"), 1), torch.randn(1, 73, 27)
    ours = Animator(method, source, size=128, compiled=compiled)(windows)
    assert not compiled.off and any(tmp_path.rglob("*.so"))
    assert distance(ours, Animator(method, source, size=128)(windows)) < ROUNDING


@pytest.fixture(scope="module")
def published():
    """The published method at its real size with the weights of the rule, and a source for it."""
    if parity_folder() is None:
        pytest.skip("no parity fixtures: set STYLEHEAT_SHARED, or lay them beside the repository as ../shared/parity")
    fixture = Fixture(parity_folder(), 1234)
    return fixture, Inversion(fixture.picture[:1], fixture.codes[:1], fixture.replacing[:1])


@pytest.mark.slow  # 25 s: one frame of the reference, two of ours, at 1024
def test_a_real_frame_is_the_same_for_half_the_work(published):
    fixture, source = published
    with torch.no_grad():
        reference = animate(fixture.method, source, fixture.windows[:1], size=1024).image
    animator = Animator(fixture.method, source)
    assert distance(animator(fixture.windows[:1]), reference) < ROUNDING
    with FlopCounterMode(display=False) as counter:
        animator(fixture.windows[:1])
    assert counter.get_total_flops() <= 210e9  # the official forward: 384e9
    half = Animator(fixture.method, source, torch.bfloat16)(fixture.windows[:1])
    assert distance(half, reference) < 0.01


@pytest.mark.slow  # 40 s
def test_the_bench_counts_a_frame_without_the_weights(tmp_path):
    dtype = "bf16" if has_bfloat16(torch.device("cpu")) else "float32"  # imitated, it takes minutes
    words = ["bench", "--weights", "styleheat", "--frames", "2", "--dtype", dtype, "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-m", "styleheat_cli", *words], capture_output=True, check=True, text=True, env=environment)
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    whole = next(row for row in rows if row["case"].startswith("whole"))
    parts = [row["gigaflop"] for row in rows if row["case"].startswith(("motion", "calibration", "synthesis"))]
    assert whole["gigaflop"] <= 210 and sum(parts) == pytest.approx(whole["gigaflop"], abs=0.2)
    assert whole["weights"] == "seeded" and whole["dtype"] == dtype.replace("bf16", "bfloat16") and whole["peak MB"] < 4000
    assert sum(row.get("frames", 0) == 2 for row in rows) == 6  # two whole runs, each with its stages
