"""The optimising inversion fits what it should, stops when nothing moves, and its files come back."""

from __future__ import annotations

import pytest
import torch

from styleheat_cli.engine.inversion import (
    FIRST_FREE_ROW,
    Inversion,
    Inverter,
    Patience,
    Step,
    cache_key,
    invert,
    optimise,
    read_inversion,
    write_inversion,
)
from styleheat_cli.errors import InputError
from styleheat_cli.networks.directions import AverageCode, CodePrior
from styleheat_cli.networks.e4e import Encoder4Editing
from styleheat_cli.networks.hfgi import Aligner, ConsultationEncoder
from styleheat_cli.networks.stylegan2 import Generator
from styleheat_cli.networks.vgg import VGGFeatures

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def networks():
    """The inverter at toy widths: 12 rows of 16 numbers, pictures of 128 px."""
    torch.manual_seed(0)
    stages = ((16, 1),) * 4
    made = (
        Encoder4Editing(rows=12, stages=stages),
        AverageCode(rows=12, width=16),
        Generator(size=128, style=16, mapping_layers=1, channel_multiplier=1 / 16, max_channels=16),
        Aligner(widths=(4, 8, 8, 8)),
        ConsultationEncoder(widths=(4, 8, 8), channels=16),
    )
    return Inverter(*(network.eval().requires_grad_(False) for network in made))


@pytest.fixture(scope="module")
def measures():
    layout = (4, 0, 8, 0, 8)
    vgg = VGGFeatures(layout, taps={"relu_1_1": 1, "relu_2_1": 4}).requires_grad_(False)
    return vgg, CodePrior(16)


def test_optimising_moves_f_and_the_late_rows_only_and_comes_nearer(networks, measures):
    picture = torch.rand(1, 3, 128, 128) * 2 - 1
    steps: list[Step] = []
    made = optimise(networks, *measures, picture, steps=6, on_step=lambda step: steps.append(step))
    start = invert(networks, picture)
    assert torch.equal(made.codes[:, :FIRST_FREE_ROW], start.codes[:, :FIRST_FREE_ROW])
    assert not torch.equal(made.codes[:, FIRST_FREE_ROW:], start.codes[:, FIRST_FREE_ROW:])
    assert steps[-1].losses[0] < steps[0].losses[0]
    assert made.condition is None and not torch.equal(made.f, start.f)
    assert all(parameter.grad is None for parameter in networks.generator.parameters())


def test_the_picture_returned_is_that_before_the_last_update(networks, measures):
    picture = torch.rand(1, 3, 128, 128) * 2 - 1
    made = optimise(networks, *measures, picture, steps=1)
    start = invert(networks, picture)
    assert torch.equal(made.codes, start.codes)  # the copy taken before the update
    assert (made.f - start.f).abs().max() == pytest.approx(0.01, rel=1e-2)  # Adam's first step is its rate


def test_a_true_answer_ends_it(networks, measures):
    seen = []
    optimise(
        networks,
        *measures,
        torch.zeros(1, 3, 128, 128),
        steps=9,
        on_step=lambda s: seen.append(s.number) or s.number == 2,
    )
    assert seen == [1, 2]


def test_patience_ends_when_the_loss_stands_still():
    patience, blank = Patience(steps=3, share=0.01), torch.zeros(1)
    falling = [10.0, 9.0, 8.95, 8.94, 8.0, 7.99, 7.98, 7.97]
    ended = [patience(Step(i, torch.tensor([loss]), blank, blank, blank)) for i, loss in enumerate(falling)]
    assert ended == [False] * 7 + [True]


@pytest.mark.parametrize("with_condition", [True, False])
def test_an_inversion_comes_back_from_its_file(tmp_path, with_condition):
    condition = (torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)) if with_condition else None
    made = Inversion(torch.randn(1, 3, 8, 8), torch.randn(1, 6, 4), torch.randn(1, 4, 8, 8), condition)
    write_inversion(tmp_path / "a.safetensors", made, {"method": "hfgi"})
    back, notes = read_inversion(tmp_path / "a.safetensors")
    assert notes["method"] == "hfgi" and torch.equal(back.f, made.f) and torch.equal(back.codes, made.codes)
    assert (back.condition is None) == (not with_condition)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_what_is_no_inversion_is_refused_with_the_command_that_makes_one(tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "a.safetensors").write_bytes(b"<!DOCTYPE html>")
    save_file({"x": torch.ones(1)}, tmp_path / "b.safetensors")
    bad = Inversion(torch.full((1, 3, 2, 2), float("nan")), torch.ones(1), torch.ones(1))
    write_inversion(tmp_path / "c.safetensors", bad)
    for name, says in (
        ("a", "cannot be read"),
        ("b", "not an inversion"),
        ("c", "not finite"),
        ("d", "cannot be read"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            read_inversion(tmp_path / f"{name}.safetensors")
        assert "styleheat invert" in caught.value.hint


def test_the_cache_key_changes_with_everything_that_matters():
    keys = {
        cache_key(b"picture", "a", "optimise", 250),
        cache_key(b"another", "a", "optimise", 250),
        cache_key(b"picture", "b", "optimise", 250),
        cache_key(b"picture", "a", "hfgi", 250),
        cache_key(b"picture", "a", "optimise", 100),
    }
    assert len(keys) == 5
