"""The embedded family's inversion: fitting comes nearer, stops when it is dry, and serves as the encoder's does."""

import logging
from functools import partial

import numpy as np
import pytest
import torch

from styleheat_cli.engine.fitting import encoded, fitted, window_of
from styleheat_cli.engine.heal import eye_opening, inverted, mouth_opening
from styleheat_cli.engine.inversion import Step
from styleheat_cli.engine.inverting import told
from styleheat_cli.media.pixels import to_images
from styleheat_cli.metrics.fidelity import psnr

pytestmark = pytest.mark.usefixtures("one_thread")


def test_fitting_comes_nearer_to_the_picture_step_by_step(engine, astronaut):
    image, done = astronaut[0], []
    start = encoded(engine.healing, image)
    made = fitted(engine.healing, image, 8, lambda step: done.append(step.number))
    assert done == list(range(1, 9))
    assert psnr(to_images(made.image)[0], image) > psnr(to_images(start.image)[0], image) + 0.5
    assert not any(parameter.requires_grad for parameter in engine.healing.generator.parameters())


def test_it_ends_where_it_no_longer_gets_better(caplog):
    steps = []
    with caplog.at_level(logging.INFO):
        on_step = told(5000, lambda event: steps.append(event.done))
        dry = next(n for n in range(1, 5000) if on_step(Step(n, torch.ones(5), *(torch.zeros(1),) * 3)))
    assert dry == 21 and "stopped after 21 of 5000" in caplog.text and steps == list(range(1, 22))


@pytest.mark.parametrize("of", [mouth_opening, partial(eye_opening, which=0), partial(eye_opening, which=1)])
def test_a_window_of_a_whole_inversion_is_that_of_the_window(engine, astronaut, of):
    image, opening = astronaut[0], of(astronaut[1])
    whole = window_of(encoded(engine.healing, image), opening, engine.healing)
    window = inverted(engine.healing, image, opening)
    inside = np.s_[:, :, 4:-4, 4:-4]  # at its rim the window lacks what lies round it
    assert np.array_equal(whole.corner, window.corner) and torch.equal(whole.opening, window.opening)
    assert torch.allclose(whole.f[inside], window.f[inside], atol=1e-4)
