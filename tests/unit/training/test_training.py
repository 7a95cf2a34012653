"""The training jobs, small: they learn, they resume to the same weights, they recover what made their data."""

import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from styleheat_cli.engine import Engine
from styleheat_cli.engine.eyes import EYES, openness
from styleheat_cli.engine.fill import drawn
from styleheat_cli.engine.heal import WINDOW, drawn_openings
from styleheat_cli.engine.lashes import DARKEST, FOLLOWS, LINE, draw_lashes
from styleheat_cli.errors import InputError, MachineError
from styleheat_cli.face.align_published import FACE_SCALE
from styleheat_cli.face.morphable import Fit, fit, placed, rotation
from styleheat_cli.networks.codec import Encoder, Generator
from styleheat_cli.networks.healer import Healer
from styleheat_cli.training import loop, samples
from styleheat_cli.training.calibration import CalibrationJob, Critic, perceptual
from styleheat_cli.training.codec import CodecJob
from styleheat_cli.training.deep3d import Alignment, Pairs, bridge, placement
from styleheat_cli.training.jobs import start_from
from styleheat_cli.training.lashes import lashes
from styleheat_cli.training.morphable import Settings, train
from styleheat_cli.training.openings import FLOW, Openings, drawn_lids, opening_pairs


class Line:
    """Learns y = 2 x with one weight."""

    def __init__(self):
        torch.manual_seed(0)
        self.layer = nn.Linear(1, 1)

    def __call__(self, step, share):
        x = torch.from_numpy(np.random.default_rng(step).normal(size=(8, 1)).astype(np.float32))
        return {"total": (self.layer(x) - 2 * x).square().mean()}


def trained(folder, *stops):
    """The layer after training up to each stop in turn, as if interrupted there."""
    for stop in stops:
        job = Line()
        optimiser = torch.optim.Adam(job.layer.parameters(), lr=0.05)
        schedule = loop.Schedule(stops[-1], 0.05, warm=2, save_every=5, log_every=5)

        def step(number, share, job=job, stop=stop):
            if number >= stop:
                raise KeyboardInterrupt
            return job(number, share)

        with suppress(KeyboardInterrupt):
            loop.run(step, {"layer": job.layer}, optimiser, schedule, folder)
    return job.layer


def test_training_that_was_stopped_ends_with_the_same_weights(tmp_path):
    at_once, in_parts = trained(tmp_path / "a", 40), trained(tmp_path / "b", 13, 27, 40)
    assert all((a == b).all() for a, b in zip(at_once.parameters(), in_parts.parameters(), strict=True))
    rows = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(5, 41, 5)) and rows[-1]["total"] < rows[0]["total"]


def test_a_sheet_of_samples_is_laid_beside_what_is_saved(tmp_path):
    job = Line()
    sheets = iter(np.full((4, 6, 3), n, np.uint8) for n in (10, 20))
    loop.run(job, {"layer": job.layer}, torch.optim.Adam(job.layer.parameters()), loop.Schedule(9, 0.05, save_every=5),
             tmp_path, samples=lambda: next(sheets))  # fmt: skip
    found = {path.name: np.asarray(Image.open(path)).max() for path in (tmp_path / "samples").iterdir()}
    assert found == {"000005.png": 10, "000009.png": 20}


def test_training_that_diverges_says_so_and_saves_nothing_broken(tmp_path):
    layer = nn.Linear(1, 1)
    optimiser = torch.optim.Adam(layer.parameters())
    with pytest.raises(MachineError, match="diverged at step 3"):
        loop.run(lambda step, share: {"total": layer.weight.sum() * (float("nan") if step == 3 else 1)},
                 {"layer": layer}, optimiser, loop.Schedule(10, 1e-3, save_every=1), tmp_path)  # fmt: skip
    saved = torch.load(tmp_path / "train.pt", weights_only=True)
    assert saved["step"] == 3 and torch.isfinite(saved["layer"]["weight"]).all()


def test_what_another_training_saved_is_not_resumed(tmp_path):
    trained(tmp_path, 5)
    layer = nn.Linear(2, 2)
    with pytest.raises(InputError, match="another training"):
        loop.run(lambda step, share: {"total": layer.weight.sum()}, {"layer": layer}, torch.optim.Adam(layer.parameters(), lr=0.05),
                 loop.Schedule(9, 0.05), tmp_path)  # fmt: skip


def test_pairs_of_openings_lie_where_the_flow_says(model):
    """A still face whose landmarks alone open the mouth and shut the eyes, pictures told apart by their tone."""
    calm = model.shape(np.zeros(len(model.identity)), np.zeros((40, 64)), np.zeros((40, 3)))
    points = placed(calm, np.full(40, 60.0), rotation(np.zeros((40, 3))), np.tile([256.0, 256, 0], (40, 1)))
    points[::2, 14, 1] += 20
    for ring, _iris in EYES:
        points[1::4, list(ring[9:]), 1] = points[1::4, list(ring[7:0:-1]), 1]
    crop = np.tile(np.eye(2, 3) / 512, (40, 1, 1))
    clip = SimpleNamespace(
        item=SimpleNamespace(still=False), seen=np.ones(40, bool), side=512.0, landmarks=points.astype(np.float32), crop=crop,
        pictures=lambda rows, side: {row: np.full((side, side, 3), row, np.uint8) for row in rows if row != 3},
    )  # fmt: skip
    made = opening_pairs(model, [clip], 12, 270, 0)
    eyes = made.source_iris[:, 2] > 0
    assert 4 <= eyes.sum() <= 6 < (~eyes).sum() <= 12 and (made.source != 3).all() and (made.target != 3).all()
    for row in range(len(eyes)):
        outline = made.target_outline[row]
        source, target = (int(picture[row, 0, 0, 0]) for picture in (made.source, made.target))
        x, y = np.floor(outline / 2).astype(int).T
        away = np.abs(made.flow[row, y, x] - made.source_outline[row])
        assert away[:, 0].max() < 4 and np.median(away[:, 1]) < 4, "an outline comes from the outline, to two cells; where lids meet from one of them"
        if eyes[row]:
            assert (openness(made.source_outline[row, :16]) < 0.05) == (source % 4 == 1) and (openness(outline[:16]) < 0.05) == (target % 4 == 1)
    widest, tones = made.target_outline[~eyes][:, 5, 1] - made.target_outline[~eyes][:, 15, 1], made.target[~eyes][:, 0, 0, 0]
    assert (widest[tones % 2 == 0] > 15).all() and (widest[tones % 2 == 1] < 5).all() and 0 < (tones % 2 == 0).mean() < 1


def test_the_rate_warms_up_and_falls():
    schedule = loop.Schedule(1000, 1.0, warm=100)
    rates = [loop.rate_at(schedule, step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01) and max(rates) > 0.95 and rates[-1] < 0.03
    assert np.argmax(rates) < 110


@pytest.fixture(scope="module")
def model():
    return Engine("default", device="cpu").morphable


def people(model, count, random):
    """Landmark sets of people drawn from the model: half of their frames calm, as people are."""
    made = {}
    for number in range(count):
        identity, expression = random.normal(size=len(model.identity)), random.normal(size=(24, 64))
        expression[::2] = 0
        angles = random.uniform(-0.3, 0.3, (24, 3))
        points = placed(model.shape(identity, expression, angles), np.full(24, 60.0), rotation(angles), np.full((24, 3), 99.0))
        made[str(number)] = [points + 0.05 * random.normal(size=points.shape)]
    return made


def test_a_morphable_model_made_from_samples_explains_new_ones(model):
    random = np.random.default_rng(0)
    made, facts = train(people(model, 40, random), Settings(identities=30))
    assert facts["people"] == 40 and facts["expression_variance"] > 0.9
    assert made.mean[made.mirror] * [-1, 1, 1] == pytest.approx(made.mean, abs=5e-3)
    points = people(model, 1, random)["0"][0]
    found = fit(made, points)
    shape = made.shape(found.identity, found.expression, found.angles) + found.own
    away = placed(shape, found.scale, rotation(found.angles), found.shift) - points
    still = points - points.mean(0)
    assert np.abs(away).mean() < 0.1 * np.abs(still).mean()


def test_deep3ds_unit_and_origin_are_found_from_its_alignments_and_a_clip_of_another_size_is_left_out():
    random, unit, origin, clips = np.random.default_rng(0), 3.0, np.array([0.1, 0.2, 1.0]), []
    for number in range(5):
        angles, scale, shift = random.normal(0, 0.2, (40, 3)), random.uniform(25, 35, 40), random.uniform(100, 150, (40, 3))
        x, y = (shift + scale[:, None] * (rotation(angles) @ origin))[:, :2].T
        s = FACE_SCALE / (unit * scale) / (3 if number == 4 else 1)
        params = np.column_stack([np.full((40, 2), 256.0), s, x - 0.5, 255.5 - y])
        fitted = Fit(None, None, angles, scale, shift, None)
        clips.append(Pairs(str(number), None, None, Alignment(fitted, params)))
    found = placement(clips)
    assert found["deep3d_unit"] == unit and found["deep3d_origin"] == pytest.approx(origin.tolist(), abs=1e-3)
    assert found["deep3d_placed_clips"] == 4 and found["deep3d_place_px"] < 0.01 and found["deep3d_scale_error"] < 1e-9


def test_a_linear_bridge_is_found_and_its_quality_said():
    random = np.random.default_rng(1)
    true = random.normal(size=(67, 67))
    clips = []
    for number in range(6):
        ours = random.normal(size=(200, 67)) + number
        clips.append(Pairs(str(number), ours, ours @ true + 5, None))
    found, quality = bridge(clips, ridge=1e-6)
    assert found[:-1] == pytest.approx(true, abs=1e-3)
    assert quality["deep3d_r2_expression"] == pytest.approx(1, abs=1e-4)
    noise = [Pairs(clip.person, clip.ours, random.normal(size=(200, 67)), None) for clip in clips]
    assert bridge(noise)[1]["deep3d_r2_expression"] < 0.05


def test_the_codec_learns_a_picture():
    torch.manual_seed(0)
    images = np.zeros((2, 512, 512, 3), np.uint8)
    images[:, :, 256:] = (200, 120, 90)
    job = CodecJob(encoder := Encoder(), generator := Generator(), images, batch=2, seed=0)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *generator.parameters()], lr=2e-3)
    losses = []
    for step in range(40):
        loss = job(step, 0.0)
        optimiser.zero_grad()
        loss["total"].backward()
        optimiser.step()
        losses.append(float(loss["total"].detach()))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    sheet = job.samples()
    assert (sheet == job.samples()).all() and sheet.shape[1] > 2 * samples.HEIGHT and sheet.shape[0] > 4 * samples.HEIGHT


def box(left, top, right, bottom):
    """An outline of 20 points round a box, from its left corner below to its right one and back above."""
    x = np.linspace(left, right, 9)
    below, above = np.stack([x, np.full(9, bottom)], -1), np.stack([x[-2:0:-1], np.full(7, top)], -1)
    return np.concatenate([below, above, np.repeat(above[-1:], 4, 0)])


@pytest.fixture
def openings():
    """Pairs of a picture with itself, two mouths and two eyes, under a flow that rests."""
    random = np.random.default_rng(2)
    still = np.stack(np.meshgrid(*2 * [np.arange(FLOW) * WINDOW / FLOW + 1]), -1)
    ramp = np.linspace(20, 230, WINDOW)
    picture = np.stack(4 * [np.stack([ramp + 0 * ramp[:, None], 0 * ramp + ramp[:, None], 0 * ramp + 0 * ramp[:, None] + 99], -1)])
    picture = (picture + random.normal(size=picture.shape)).round().clip(0, 255).astype(np.uint8)
    outline = np.stack([box(60, 90, 130, 110)] * 4).astype(np.float32)
    iris = np.array([[0, 0, 0], [0, 0, 0], [95, 100, 14], [95, 100, 14]], np.float32)
    flow, motion = np.repeat(still[None], 4, 0).astype(np.float16), np.zeros((4, 67), np.float32)
    return Openings(picture, picture, flow, outline, outline, iris, iris, motion)


def calibration_job(openings):
    torch.manual_seed(0)
    critic = Critic()
    return CalibrationJob(Encoder(), Generator(), Healer(), openings, 2, 0, critic, torch.optim.Adam(critic.parameters(), lr=1e-3))


def test_a_calibration_step_judges_mouth_and_eyes_and_teaches_the_critic(openings):
    job = calibration_job(openings)
    before = [p.clone() for p in job.critic.parameters()]
    early, late = job(0, 0.0), job(1, 0.9)
    assert set(late) - set(early) == {"critic"} and all(torch.isfinite(v) for v in late.values())
    assert any((a != b).any() for a, b in zip(before, job.critic.parameters(), strict=True))
    sheet = job.samples()
    source, target = (sheet[top + 22 : top + 22 + samples.HEIGHT, : samples.HEIGHT] for top in (0, 3 * (22 + samples.HEIGHT)))
    assert (source == target).all(), "pairs of the same picture"


def test_windows_of_every_size_show_the_same(openings):
    job, sizes = calibration_job(openings), set()
    for seed in range(12):
        batch = job.draw(np.arange(4), np.random.default_rng(seed) if seed else None)
        _, warped, mask, back = job.heal(batch)
        side = batch["source"].shape[-1]
        sizes.add(side)
        inner, unit = slice(4, -4), side / WINDOW
        assert back.shape[-2:] == (side, side) and (warped - batch["source"])[..., inner, inner].abs().mean() < 0.005, "a flow that rests"
        assert mask[:, 0, round(100 * unit), round(95 * unit)].min() > 0.99 and mask[:, :, round(20 * unit)].max() == 0
        height = (mask[:, 0, :, side // 2] > 0.5).sum(1) / unit
        assert height[:2].max() < 40 < height[2:].min(), "an eye's mask takes its lids in"
    assert max(sizes) == WINDOW and min(sizes) < 0.7 * WINDOW


def test_what_opens_is_drawn_with_its_iris_inside(openings):
    opened, irises = drawn_openings(openings.source_outline, openings.source_iris, 96)
    assert opened.sum((1, 2)) == pytest.approx(70 * 20 / 4, rel=0.05), "at half the size a quarter of the area"
    assert (irises <= opened).all() and irises[:2].max() == 0 and irises[2, 50, 47] == 1 and irises[2, 50, 32] == 0
    lids = drawn_lids(openings.source_outline, openings.source_iris, 96)
    assert lids[:2].max() == 0 and (lids[2:] >= opened[2:] - 1e-6)[..., 5:-5].all()


def bow(height):
    """An eye of 100 pixels, so many pixels high, its upper lid as much over the line of the corners as the lower one under it."""
    x = np.linspace(-50, 50, 9)
    y = height / 2 * (1 - (x / 50) ** 2)
    points = 96 + np.concatenate([np.stack([x, y], -1), np.stack([x, -y], -1)[-2:0:-1]])
    return np.concatenate([points, np.repeat(points[-1:], 4, 0)]).astype(np.float32)


def test_lashes_that_were_drawn_are_measured_as_they_were_drawn():
    lines = np.linspace(0.2, 0.8, 24)
    before, after = np.full((2, 24, WINDOW, WINDOW, 3), 200, np.uint8)
    for source, target, line in zip(before, after, lines, strict=True):
        band = box(40, 72, 152, 84)
        source[drawn(band, (WINDOW, WINDOW)) > 0.5] = round(200 * line)
        draw_lashes(target, bow(0.5)[:16], 100.0, line, 1.0, 0.0)
    iris = np.tile(np.float32([96, 96, 20]), (24, 1))
    shape = {"flow": np.zeros((24, FLOW, FLOW, 2), np.float16), "motion": np.zeros((24, 67), np.float32)}
    openings = Openings(before, after, shape["flow"], np.stack([bow(40)] * 24), np.stack([bow(0.5)] * 24), iris, iris, shape["motion"])
    found = lashes(openings)
    assert found["lashes_eyes"] == 24 and found["lashes_line"] == pytest.approx(LINE[1], abs=0.06)
    assert found["lashes_darkest"] == pytest.approx(DARKEST, abs=0.04) and found["lashes_follow"] == pytest.approx(FOLLOWS, abs=0.05)
    awake = replace(openings, target_outline=openings.source_outline)
    assert lashes(awake) == {"lashes_eyes": 0}, "none of these eyes shuts"


def test_the_perceptual_judge_sees_what_is_weighed_and_light_less_than_form():
    judge = Engine("default", device="cpu").healing.encoder
    real = torch.from_numpy(np.random.default_rng(3).uniform(-0.5, 0.5, (1, 3, 64, 64)).astype(np.float32))
    real = nn.functional.avg_pool2d(real, 5, 1, 2)
    weight = torch.ones(1, 1, 64, 64)
    assert perceptual(judge, real, real, weight) == 0
    lighter, blurred = perceptual(judge, real * 1.1, real, weight), perceptual(judge, nn.functional.avg_pool2d(real, 9, 1, 4), real, weight)
    assert 0 < lighter < 0.1 * blurred
    right = real.clone()
    right[..., 48:] = 0
    weight[..., 24:] = 0
    assert perceptual(judge, right, real, weight) < 1e-6


def test_half_precision_is_for_processors_that_have_it(monkeypatch):
    def made(able):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
        with loop.half(torch.device("cpu")):
            return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    assert made({"avx512_bf16": True}) == made({"bf16": True}) == torch.bfloat16
    assert made({"avx2": True, "avx512_bf16": False}) == torch.float32


def test_calibration_goes_on_from_the_codec_made_beside_it_else_from_the_embedded_one(tmp_path):
    engine, ours = Engine("default", device="cpu"), Encoder()
    start_from(tmp_path / "train.pt", engine, encoder=ours)
    assert all((a == b).all() for a, b in zip(ours.parameters(), engine.healing.encoder.parameters(), strict=True))
    torch.save({"encoder": (beside := Encoder()).state_dict()}, tmp_path / "train.pt")
    start_from(tmp_path / "train.pt", engine, encoder=ours)
    assert all((a == b).all() for a, b in zip(ours.parameters(), beside.parameters(), strict=True))
