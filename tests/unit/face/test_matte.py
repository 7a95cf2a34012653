"""Which pixels are person and head, on the portrait."""

import numpy as np

from styleheat_cli.face.align import crop_image, square, transform
from styleheat_cli.face.matte import _solved, head_mask, matte
from tests.synthetic import face

from .conftest import scene


def portrait(landmarker, size: int = 384):
    """The aligned crop of the portrait and its points in it."""
    points = landmarker.find(face(512))[0]
    crop = transform(square(points))
    placed = points * crop[0, 0] * size
    placed[:, :2] = (points[:, :2] @ crop[:, :2].T + crop[:, 2]) * size
    return crop_image(face(512), crop, size), placed


def test_the_matte_is_one_on_the_face_and_hair_and_nought_on_the_wall(landmarker):
    image, points = portrait(landmarker)
    person = matte(image)
    assert person.shape == image.shape[:2] and person.dtype == np.float32
    assert person.min() >= 0 and person.max() <= 1
    for point in (1, 10, 152, 50, 280):
        x, y = points[point, :2].astype(int)
        assert person[y, x] > 0.9
    x, y = points[10, :2].astype(int)
    assert person[y - 50, x] > 0.8, "the hair"
    assert person[150, 20] < 0.1, "the wall"


def test_a_wall_has_hardly_any_person():
    assert matte(scene(2)).mean() < 0.1


def test_the_matte_keeps_odd_sizes():
    assert matte(face(512)[:301, :203]).shape == (301, 203)


def test_the_matte_is_the_same_each_time():
    np.testing.assert_array_equal(matte(face(256)), matte(face(256)))


def test_the_head_mask_holds_the_face_and_leaves_the_border_and_the_wall(landmarker):
    image, points = portrait(landmarker)
    person = matte(image)
    mask = head_mask(points, person)
    inner = points[[1, 33, 263, 61, 291, 151, 199], :2].astype(int)
    assert (mask[inner[:, 1], inner[:, 0]] > 0.95).all()
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0
    assert mask[150, 20] < 0.1 and (mask <= 1).all() and mask.dtype == np.float32
    open_wide = head_mask(points, np.ones_like(person))
    assert max(np.abs(np.diff(open_wide, axis=axis)).max() for axis in (0, 1)) < 0.1, "it fades"


def test_the_head_mask_covers_the_face_where_the_matte_is_blind(landmarker):
    image, points = portrait(landmarker)
    mask = head_mask(points, np.zeros(image.shape[:2], np.float32))
    x, y = points[1, :2].astype(int)
    assert mask[y, x] > 0.9 and mask.mean() < 0.4


def test_the_guided_filter_solves_its_three_by_three_systems():
    rng = np.random.default_rng(0)
    guide, shared = rng.random((4, 5, 3)), rng.random((4, 5, 3))

    def mean(values):  # any average will do: here one over all pixels, the same at each
        return np.broadcast_to(values.mean(axis=(0, 1), keepdims=values.ndim == 3), values.shape)

    solved = _solved(guide, mean(guide), mean, shared, 1e-3)
    covariance = np.cov(guide.reshape(-1, 3).T, bias=True) + 1e-3 * np.eye(3)
    np.testing.assert_allclose(solved, shared @ np.linalg.inv(covariance).T, rtol=1e-6)
