"""Pictures as tensors and back; many pictures on one."""

import numpy as np
import pytest

from styleheat_cli.media.sheet import GAP, contact_sheet, side_by_side
from tests.synthetic import face


def test_all_levels_survive_the_way_there_and_back():
    from styleheat_cli.media.pixels import to_images, to_tensor

    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    tensor = to_tensor(levels)
    assert tensor.shape == (1, 3, 16, 16) and tensor.min() == -1 and tensor.max() == 1
    assert np.array_equal(to_images(tensor), levels)
    assert np.array_equal(to_images(tensor.double()), levels)


def test_channels_come_first_and_order_is_kept():
    from styleheat_cli.media.pixels import to_tensor

    picture = np.zeros((4, 6, 3), np.uint8)
    picture[1, 2] = (255, 128, 0)
    tensor = to_tensor(picture)
    assert tensor.shape == (1, 3, 4, 6)
    assert tensor[0, 0, 1, 2] == 1 and abs(tensor[0, 1, 1, 2] - 0.00392) < 1e-4 and tensor[0, 2, 1, 2] == -1


def test_half_precision_and_overshoot_become_pixels():
    import torch

    from styleheat_cli.media.pixels import to_images

    wild = torch.tensor([-3.0, -1.0, 0.0, 1.0, 7.0], dtype=torch.float16).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_images(wild)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_nothing_is_written_into_the_input():
    from styleheat_cli.media.pixels import to_tensor

    picture = face(64)
    before = picture.copy()
    to_tensor(picture).mul_(0)
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("height", [64, 128])
def test_side_by_side_scales_to_one_height(height):
    tall, wide = face(128)[:, 32:96], face(128)[32:96]
    line = side_by_side([tall, wide, face(128)], height)
    assert line.shape == (height, height // 2 + 2 * height + height + 2 * GAP, 3)
    assert np.abs(line[:, -height:].astype(int) - face(height)).mean() < 4  # scaled twice against once


def test_a_sheet_has_a_row_each_with_its_label():
    rows = [[face(64)] * 3, [face(64)] * 2]
    sheet = contact_sheet(rows, ["first", "second"], height=64)
    plain = contact_sheet(rows, height=64)
    assert sheet.shape[1] == plain.shape[1] == 3 * 64 + 2 * GAP
    assert sheet.shape[0] > plain.shape[0] > 2 * 64
    assert np.array_equal(plain[GAP : GAP + 64, :64], face(64))
    assert sheet[:20].max() > 200 > plain[: GAP - 1].max()  # letters


def test_a_sheet_of_pictures_of_unlike_sizes_is_one_picture():
    sheet = contact_sheet([[face(64)], [face(128)[:, :30], face(128)]], ["a"], height=96)
    assert sheet.dtype == np.uint8 and sheet.ndim == 3
