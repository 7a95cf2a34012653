"""The pieces of the published networks against slow, obvious versions written here; no fixtures needed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from styleheat_cli.engine.published import mel_windows, motion_windows
from styleheat_cli.face import align_published as align
from styleheat_cli.networks.bfm import rotation_matrix
from styleheat_cli.networks.directions import CodePrior, PrincipalComponents
from styleheat_cli.networks.discriminator import batch_deviation
from styleheat_cli.networks.layers import AdaIN, DownBlock, EqualLinear, ModulatedConv2d, blur_kernel, double, upfirdn
from styleheat_cli.networks.vgg import gram
from styleheat_cli.networks.warper import deformation, warp


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def upfirdn_by_loops(x, kernel, up, down, pad):
    """Zero insertion, padding, convolution and decimation, one number at a time."""
    (height, width), size = x.shape, len(kernel)
    spread = torch.zeros(height * up + sum(pad), width * up + sum(pad), dtype=x.dtype)
    for i in range(height):
        for j in range(width):
            spread[pad[0] + i * up, pad[0] + j * up] = x[i, j]
    rows = range(0, len(spread) - size + 1, down)
    columns = range(0, spread.shape[1] - size + 1, down)
    out = torch.zeros(len(rows), len(columns), dtype=x.dtype)
    for a, i in enumerate(rows):
        for b, j in enumerate(columns):
            for p in range(size):
                for q in range(size):
                    out[a, b] += kernel[size - 1 - p, size - 1 - q] * spread[i + p, j + q]
    return out


@pytest.mark.parametrize(("up", "down", "pad"), [(1, 1, (1, 1)), (2, 1, (2, 1)), (1, 2, (2, 2)), (2, 2, (0, 3))])
def test_upfirdn_is_the_loop(up, down, pad):
    x, kernel = torch.randn(2, 3, 5, 6, dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    ours = upfirdn(x, kernel, up, down, pad)
    for n in range(2):
        for c in range(3):
            torch.testing.assert_close(ours[n, c], upfirdn_by_loops(x[n, c], kernel, up, down, pad))


def test_doubling_a_picture_is_upfirdn_and_keeps_a_constant_inside():
    x, kernel = torch.randn(2, 3, 5, 6, dtype=torch.float64), blur_kernel(4.0).double()
    torch.testing.assert_close(double(x, kernel), upfirdn(x, kernel, up=2, pad=(2, 1)))
    inside = double(torch.ones(1, 1, 6, 6), blur_kernel(4.0))[0, 0, 2:-2, 2:-2]
    torch.testing.assert_close(inside, torch.ones_like(inside))


@pytest.mark.parametrize(("upsample", "size", "demodulate"), [(False, 3, True), (True, 3, True), (False, 1, False)])
def test_modulated_convolution_is_its_definition(upsample, size, demodulate):
    conv = ModulatedConv2d(5, 4, size, style=6, demodulate=demodulate, upsample=upsample)
    x, w = torch.randn(2, 5, 7, 8), torch.randn(2, 6)
    ours = conv(x, w).detach()
    for n in range(2):
        style = conv.modulation(w[n : n + 1])[0].detach()
        weight = conv.weight[0].detach() / math.sqrt(5 * size**2) * style[None, :, None, None]
        if demodulate:
            for o in range(4):
                weight[o] = weight[o] / math.sqrt(float((weight[o] ** 2).sum()) + 1e-8)
        if upsample:
            spread = torch.zeros(1, 5, 13 + 4, 15 + 4)  # zeros between the samples and a border of two
            spread[:, :, 2:-2:2, 2:-2:2] = x[n]
            full = torch.nn.functional.conv2d(spread, weight.flip(2, 3))  # 2H+1 by 2W+1
            expected = upfirdn(full, blur_kernel(4.0), pad=(1, 1))[0]
        else:
            expected = torch.nn.functional.conv2d(x[n : n + 1], weight, padding=size // 2)[0]
        torch.testing.assert_close(ours[n], expected, atol=2e-5, rtol=1e-4)


def test_an_equalised_linear_layer_scales_weight_and_bias():
    layer = EqualLinear(4, 3, multiplier=0.5, activated=True)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 4)
    plain = x @ (layer.weight * 0.5 / 2).T + layer.bias * 0.5
    torch.testing.assert_close(layer(x), torch.where(plain > 0, plain, 0.2 * plain) * math.sqrt(2))


def test_adain_gives_each_channel_the_asked_mean_and_deviation():
    norm, x, z = AdaIN(3, 5), torch.randn(2, 3, 9, 9) * 4 + 7, torch.randn(2, 5)
    shared = norm.mlp_shared(z)
    made = norm(x, z)
    torch.testing.assert_close(made.mean((2, 3)), norm.mlp_beta(shared), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        made.std((2, 3), unbiased=False), (1 + norm.mlp_gamma(shared)).abs(), atol=1e-4, rtol=1e-3
    )


def test_a_down_block_may_blur_only_where_it_looks():
    block, x = DownBlock(3, 4), torch.randn(1, 3, 8, 8)
    blur, conv = block.skip
    torch.testing.assert_close(block(x), (block.conv2(block.conv1(x)) + conv(blur(x))) / math.sqrt(2))


def test_a_flow_of_zeros_enlarges_slightly_and_fades_the_border():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    seen = warp(ramp, deformation(torch.zeros(1, 2, 8, 8)))[0, 0, 4]
    expected = torch.arange(8.0) * 8 / 7 - 0.5  # ends included in the grid, excluded in the sampling
    torch.testing.assert_close(seen[1:7], expected[1:7], atol=1e-5, rtol=0)
    assert seen[0] == 0 and seen[7] < 7 * 0.6


def test_a_flow_points_right_and_down_in_pixels():
    spot = torch.zeros(1, 1, 9, 9)
    spot[0, 0, 3, 6] = 1.0
    flow = torch.zeros(1, 2, 9, 9)
    flow[:, 0], flow[:, 1] = 2.0, -1.0  # every pixel looks two to the right and one up
    row, column = divmod(int(warp(spot, deformation(flow))[0, 0].argmax()), 9)
    assert (row, column) == (4, 4)


def test_a_deformation_of_another_size_is_resized():
    picture = torch.randn(1, 2, 32, 32)
    assert warp(picture, deformation(torch.zeros(1, 2, 8, 8))).shape == (1, 2, 32, 32)


@pytest.mark.parametrize("batch", [1, 3, 4, 8])
def test_batch_deviation_is_that_of_each_interleaved_group(batch):
    x = torch.randn(batch, 2, 3, 3)
    groups = max(1, batch // 4)
    ours = batch_deviation(x)
    for n in range(batch):
        members = torch.stack([x[m] for m in range(batch) if m % groups == n % groups])
        expected = (members.var(0, unbiased=False) + 1e-8).sqrt().mean()
        torch.testing.assert_close(ours[n], expected.expand(1, 3, 3))


def test_a_component_is_set_to_a_coordinate_measured_on_row_zero():
    components = PrincipalComponents(count=3, width=4)
    components.comp.copy_(torch.eye(3, 4))
    components.mean.fill_(0.5)
    components.std.copy_(torch.tensor([1.0, 2.0, 4.0]))
    codes = torch.randn(1, 6, 4)
    edited = components(codes, 1, slice(2, 4), factor=3.0)
    moved = edited - codes
    assert not moved[:, [0, 1, 4, 5]].any() and not moved[..., [0, 2, 3]].any()
    torch.testing.assert_close(moved[0, 2:4, 1], (3.0 * 2.0 - (codes[0, 0, 1] - 0.5)).expand(2))


def test_the_prior_is_the_mean_square_of_whitened_unactivated_codes():
    prior, codes = CodePrior(3), torch.tensor([[[1.0, -1.0, 2.0]]])
    assert float(prior(codes)) == pytest.approx((1 + 25 + 4) / 3)


def test_gram_is_the_products_of_channels():
    x = torch.randn(1, 2, 3, 4)
    assert float(gram(x)[0, 0, 1]) == pytest.approx(float((x[0, 0] * x[0, 1]).sum()) / 24, abs=1e-6)


def test_windows_of_motion_are_held_at_both_ends():
    coefficients = torch.arange(40.0)[:, None].expand(40, 73)
    windows = motion_windows(coefficients)
    assert windows.shape == (40, 73, 27)
    assert windows[0, 5].tolist() == [0] * 13 + list(range(14))
    assert windows[39, 5].tolist() == [*range(26, 40), *[39] * 13]
    assert windows[20, 0].tolist() == list(range(7, 34))


def test_windows_of_mel_begin_four_frames_early():
    mel = torch.arange(400.0).expand(80, 400)
    windows = mel_windows(mel, torch.arange(100) / 25)
    assert windows.shape == (100, 80, 32)
    assert windows[[0, 4, 5, 29], 0, 0].tolist() == [0, 0, 3, 80]  # int(80 * (n - 4) / 25)
    assert windows[99, 0, -1] == 304 + 31
    between = mel_windows(mel, torch.tensor([0.0, 0.18, 0.2, 9.0]))
    assert between[:, 0, 0].tolist() == [0, 1, 3, 399] and (between[3] == 399).all()


def test_rotations_turn_rows_as_the_specification_says():
    turned = torch.tensor([[0.0, 0.0, 1.0]]) @ rotation_matrix(torch.tensor([[0.0, math.pi / 2, 0.0]]))[0]
    torch.testing.assert_close(turned, torch.tensor([[1.0, 0.0, 0.0]]), atol=1e-6, rtol=0)
    angles = torch.tensor([[0.3, -0.2, 0.5]])
    rotation = rotation_matrix(angles)[0]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-6, rtol=0)


FIVE = np.array([[-0.31, 0.29, 0.14], [0.31, 0.29, 0.14], [0.0, -0.05, 0.48], [-0.25, -0.36, 0.2], [0.25, -0.36, 0.2]])


def test_the_pose_of_a_known_face_is_found():
    points = FIVE[:, :2] * 110 + (120, 140)
    position, size = align.fit_pose(points, FIVE)
    np.testing.assert_allclose(position, (120, 140), atol=1e-9)
    assert size == pytest.approx(110)


def test_the_crop_brings_the_face_to_its_place_and_tells_the_three_numbers():
    landmarks = np.zeros((68, 2))
    for point, rows in zip(FIVE, align.FIVE, strict=True):
        landmarks[list(rows)] = point[:2] * (90, -90) + (131, 255 - 118)  # y down in a picture of 256
    face = align.crop_face(np.zeros((256, 256, 3), np.uint8), landmarks, FIVE)
    np.testing.assert_allclose(face.crop, (102 / 90, 131, 118), atol=1e-9)
    assert face.image.shape == (224, 224, 3)
    np.testing.assert_allclose(align.five_points(face.landmarks).mean(0), 112 + 102 * FIVE[:, :2].mean(0), atol=1.5)


def test_the_ffhq_quadrilateral_of_an_upright_face_is_upright():
    landmarks = np.zeros((68, 2))
    landmarks[align.LEFT_EYE], landmarks[align.RIGHT_EYE] = (100, 120), (160, 120)
    landmarks[[align.MOUTH_LEFT, align.MOUTH_RIGHT]] = ((110, 190), (150, 190))
    quad = align.ffhq_quad(landmarks)
    np.testing.assert_allclose(quad.mean(0), (130, 127))
    half = max(60 * 2.0, 70 * 1.8)
    corners = [(-half, -half), (-half, half), (half, half), (half, -half)]
    np.testing.assert_allclose(quad, np.array(corners) + (130, 127))
    flat = np.full((512, 512, 3), 77, np.uint8)
    inside = align.ffhq_crop(flat, landmarks * 1.0 + 100)
    assert inside.shape == (256, 256, 3) and inside[128, 128].tolist() == [77, 77, 77]
