"""FID's distance against its definition and its closed forms; SyncNet's scores; CSIM's cosine."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from styleheat_cli.metrics.fid import Fid, Moments, frechet_distance
from styleheat_cli.metrics.identity import cosine
from styleheat_cli.metrics.judges import Judges
from styleheat_cli.metrics.metric import Moment, Setting, View
from styleheat_cli.metrics.sync import sync_scores


def moments(rows):
    gathered = Moments()
    for piece in np.array_split(rows, 7):
        gathered.add(piece)
    return gathered


def test_moments_gathered_in_pieces_are_numpys():
    rows = np.random.default_rng(0).normal(size=(50, 4)) * [1, 2, 3, 4]
    assert moments(rows).mean == pytest.approx(rows.mean(0))
    assert moments(rows).covariance == pytest.approx(np.cov(rows.T))


def test_the_distance_of_two_sets_is_the_definition_with_a_matrix_root():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)), 1 + rng.normal(size=(150, 6)) @ rng.normal(size=(6, 6))
    root = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(expected, rel=1e-8)


def test_equal_sets_have_distance_0_and_a_moved_one_the_square_of_its_way():
    rows = np.random.default_rng(2).normal(size=(100, 5))
    assert frechet_distance(moments(rows), moments(rows)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(moments(rows + 2), moments(rows)) == pytest.approx(5 * 4)


def test_without_a_reference_the_source_is_the_real_picture_and_a_still_is_looked_at_once():
    looked = []

    def features(image):
        looked.append(image.mean())
        return np.array([[image.mean(), 1.0]])

    def view(level):
        return View(np.full((4, 4, 3), level, np.uint8))

    photo, measure = view(10), Fid(Setting(judges=Judges({"inception": features})))
    for level in (12, 14, 16):
        measure.update(Moment(view(level), source=photo))
    assert looked == [12, 10, 14, 16]
    reading = measure.readings()[0]
    assert reading.samples == 3 and reading.value == pytest.approx(4**2 + 4)  # the means' way squared, and the variance of 12, 14, 16


def test_sync_finds_the_shift_of_the_sound_and_is_unsure_of_noise():
    rng = np.random.default_rng(3)
    sound = rng.normal(size=(200, 16))
    confidence, distance, offset = sync_scores(np.roll(sound, -4, axis=0)[:190], sound[:190])
    assert offset == 4 and distance < 0.2 and confidence > 3  # unlike rows are sqrt(2 * 16) = 5.7 apart
    assert sync_scores(rng.normal(size=(190, 16)), sound[:190])[0] < 0.5


def test_cosine_is_1_along_0_across_and_minus_1_against():
    a, b = np.array([3.0, 0, 4]), np.array([0, 1.0, 0])
    assert cosine(a, 2 * a) == pytest.approx(1) and cosine(a, b) == 0 and cosine(a, -a) == pytest.approx(-1)
