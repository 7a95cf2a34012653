"""What is read off the face mesh: pose, distances, jitter, sharpness, background, all on faces from numbers."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from styleheat_cli.metrics import CATALOGUE
from styleheat_cli.metrics.background import Background, outside_people
from styleheat_cli.metrics.expression import ExpressionDistanceOfPapers, PoseDistanceOfPapers
from styleheat_cli.metrics.face_geometry import HEAD, LIPS, RIGID, rigid_pose, similarity, upright
from styleheat_cli.metrics.jitter import Jitter, Shake, second_difference
from styleheat_cli.metrics.judges import Judges
from styleheat_cli.metrics.landmarks import FaceLandmarkDistance, MouthLandmarkDistance
from styleheat_cli.metrics.metric import Moment, Setting, View
from styleheat_cli.metrics.mouth import MouthOpening, opening
from styleheat_cli.metrics.pose import PoseFollowing
from styleheat_cli.metrics.sharpness import (
    MouthSharpness,
    Sharpness,
    outline_of_face,
    outline_of_mouth,
    sharpness_inside,
)


def view(face, time=0.0, image=None):
    image = np.zeros((256, 256, 3), np.uint8) if image is None else image
    return View(image, time, None if face is None else np.asarray(face, np.float32))


def values(measure):
    return {reading.name.split("[")[0]: reading for reading in measure.readings()}


@pytest.mark.parametrize(("pitch", "yaw", "roll"), [(0, 0, 0), (12, 0, 0), (0, 30, 0), (0, 0, -20), (-10, 25, 15)])
def test_the_pose_of_a_turned_and_scaled_head_is_found(mesh, turn, pitch, yaw, roll):
    face = 1.7 * turn(mesh - mesh[168], pitch, yaw, roll) + [300, 200, 5]
    pose = rigid_pose(face)
    assert (pose.pitch, pose.yaw, pose.roll) == pytest.approx((pitch, yaw, roll), abs=1e-3)
    assert pose.scale == pytest.approx(1.7)
    assert upright(face, pose)[RIGID] == pytest.approx(HEAD, abs=1e-6)


def test_yaw_to_the_right_moves_the_nose_right_and_pitch_up_moves_it_up(mesh, turn):
    nose = np.array([HEAD[RIGID == 4][0]])
    assert turn(nose, yaw=20)[0, 0] > nose[0, 0] + 5
    assert turn(nose, pitch=20)[0, 1] < nose[0, 1] - 5


def test_a_similarity_does_not_mirror():
    points = np.random.default_rng(0).normal(size=(20, 3))
    _, rotation, _ = similarity(points, points * [-1, 1, 1])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_a_face_moved_by_3_and_4_px_is_5_px_away_and_its_mouth_is_not(mesh):
    face, mouth = FaceLandmarkDistance(Setting()), MouthLandmarkDistance(Setting())
    moment = Moment(view(mesh + np.array((3, 4, 0))), view(mesh))
    assert face.update(moment) == pytest.approx(5, abs=1e-3)
    assert mouth.update(moment) == pytest.approx(0, abs=1e-3)


def test_distances_do_not_depend_on_the_size_of_the_pictures(mesh):
    small, large = (FaceLandmarkDistance(Setting()) for _ in range(2))
    small.update(Moment(view(mesh + np.array((2, 0, 0))), view(mesh)))
    large.update(Moment(view(4 * (mesh + np.array((2, 0, 0)))), view(4 * mesh)))
    assert small.readings()[0].value == pytest.approx(large.readings()[0].value, abs=1e-3)


def test_frames_without_a_face_are_not_counted(mesh):
    distance = FaceLandmarkDistance(Setting())
    distance.update(Moment(view(mesh), view(mesh)))
    distance.update(Moment(view(None), view(mesh)))
    assert distance.readings()[0].samples == 1
    empty = FaceLandmarkDistance(Setting())
    empty.update(Moment(view(None), view(mesh)))
    reading = empty.readings()[0]
    assert reading.value is None and "face" in reading.why


def test_even_motion_has_no_second_difference_and_a_tremor_has_four_times_its_size():
    still = np.zeros((5, 2))
    assert second_difference(still, still + 1, still + 2) == 0
    assert second_difference(still - [1, 0], still + np.array((1, 0)), still - [1, 0]) == pytest.approx(4)


def test_the_papers_distances_are_means_over_their_parts_of_what_deep3d_reads(mesh):
    def read(image, face):
        return np.r_[np.full(64, face[0, 0]), np.full(6, 2 * face[0, 0]), 9, 9, 9]

    setting = Setting(judges=Judges({"deep3d": read}))
    measures = ExpressionDistanceOfPapers(setting), PoseDistanceOfPapers(setting)
    for away in (1, 3):
        moment = Moment(view(mesh + np.array((away, 0, 0))), driving=view(mesh))
        assert [measure.update(moment) for measure in measures] == pytest.approx([away, 2 * away], abs=1e-4)
    assert [measure.readings()[0].value for measure in measures] == pytest.approx([2, 4], abs=1e-4)


def test_shake_is_the_ratio_of_tremors(mesh):
    shake = Shake(Setting(generated_fps=25, driving_fps=25))
    jitter = Jitter(Setting())
    for frame in range(20):
        sign = (-1) ** frame
        moment = Moment(
            view(mesh + np.array((0.5 * sign, 0, 0)), frame / 25),
            driving=view(mesh + np.array((sign, 0, 0)), frame / 25),
        )
        shake.update(moment)
        jitter.update(moment)
    assert values(shake)["shake"].value == pytest.approx(0.5, abs=1e-3)
    assert values(jitter)["jitter"].value == pytest.approx(2, abs=1e-3)
    assert values(jitter)["jitter"].real == pytest.approx(4, abs=1e-3)


def test_shake_is_not_told_across_frame_rates():
    reading = Shake(Setting(generated_fps=25, driving_fps=30)).readings()[0]
    assert reading.value is None and "25" in reading.why and "30" in reading.why


def test_a_missing_face_breaks_the_run_of_second_differences(mesh):
    jitter = Jitter(Setting())
    for frame, face in enumerate([mesh, mesh, None, mesh + 50, mesh + 50, mesh + 50]):
        jitter.update(Moment(view(face, frame)))
    after_a_cut = [view(mesh, 7), view(mesh, 8)]
    after_a_cut[0].cut = True
    for each in after_a_cut:
        jitter.update(Moment(each))
    assert values(jitter)["jitter"].samples == 1
    assert values(jitter)["jitter"].value == pytest.approx(0, abs=1e-4)


def test_the_lips_gap_does_not_change_when_the_head_turns(mesh, turn):
    turned = turn(mesh - mesh[168], yaw=30, pitch=10) + mesh[168]
    assert opening(view(turned)) == pytest.approx(opening(view(mesh)), rel=1e-4)


def test_a_mouth_that_opens_half_as_far_and_late_says_so(mesh):
    def opened(amount, time):
        face = mesh.copy()
        face[14] = face[13] + [0, amount * (2 + np.sin(7 * time) + np.sin(17 * time)), 0]
        return face

    measure = MouthOpening(Setting())
    for frame in range(100):
        time = frame / 25
        measure.update(Moment(view(opened(2, time - 0.08), time), driving=view(opened(4, time), time)))
    found = values(measure)
    assert found["mouth-opening-lag"].value == pytest.approx(80, abs=4)
    assert 0 < found["mouth-opening-gain"].value < 0.5
    assert found["mouth-opening-corr"].samples == 100


def test_following_is_measured_only_where_the_driver_moves(mesh, turn):
    measure = PoseFollowing(Setting())
    for frame in range(60):
        yaw = 10 * np.sin(frame / 5)
        faces = [turn(mesh - mesh[168], yaw=share * yaw, pitch=share * np.sin(frame / 7)) for share in (0.8, 1)]
        measure.update(Moment(view(faces[0]), driving=view(faces[1])))
    found = values(measure)
    assert found["yaw-gain"].value == pytest.approx(0.8, abs=1e-3)
    assert found["yaw-corr"].value == pytest.approx(1, abs=1e-4)
    assert found["pitch-corr"].value is None and "0.7°" in found["pitch-corr"].why


def test_sharpness_falls_with_blur_and_compares_faces_at_the_smaller_size(mesh):
    texture = np.random.default_rng(0).normal(120, 40, (256, 256)).clip(0, 255)
    sharp, soft = (np.repeat(gaussian_filter(texture, s)[..., None], 3, 2).astype(np.uint8) for s in (1, 2))
    measure = Sharpness(Setting())
    measure.update(Moment(view(mesh, image=soft), source=view(mesh, image=sharp)))
    assert 0 < values(measure)["sharpness"].value < 0.5
    same = Sharpness(Setting())
    same.update(Moment(view(mesh, image=sharp), source=view(mesh, image=sharp)))
    assert values(same)["sharpness"].value == pytest.approx(1)


def test_the_real_face_is_measured_anew_at_each_moment(mesh):
    rng = np.random.default_rng(0)
    measure = Sharpness(Setting())
    for size in (10, 20, 40):  # pictures that are gone may lend their place in memory to the next ones
        image = np.repeat(rng.normal(120, size, (256, 256, 1)), 3, 2).clip(0, 255).astype(np.uint8)
        measure.update(Moment(view(mesh, image=image), view(mesh, image=image)))
    assert measure.generated.total == pytest.approx(measure.real.total)


def test_sharpness_of_a_checkerboard_is_its_closed_form(mesh):
    board = 10.0 * (np.indices((256, 256)).sum(0) % 2).astype(np.float32)
    for outline in (outline_of_face, outline_of_mouth):
        assert sharpness_inside(board, outline(mesh)) == pytest.approx(40.0**2, rel=0.01)  # the Laplacian is ±4 × 10


def test_a_blurred_mouth_is_seen_around_the_mouth(mesh):
    sharp = np.random.default_rng(0).normal(120, 40, (256, 256, 1)).clip(0, 255).repeat(3, 2).astype(np.uint8)
    blurred = sharp.copy()
    x, y = mesh[list(LIPS), :2].mean(0).round().astype(int)
    blurred[y - 30 : y + 30, x - 50 : x + 50] = gaussian_filter(sharp[..., 0], 3)[y - 30 : y + 30, x - 50 : x + 50, None]
    read = {}
    for measure in (Sharpness(Setting()), MouthSharpness(Setting())):
        measure.update(Moment(view(mesh, image=blurred), source=view(mesh, image=sharp)))
        read |= {name: reading.value for name, reading in values(measure).items()}
    assert read["mouth-sharpness"] < 0.02 and read["sharpness"] > 0.5


def test_a_change_far_from_the_person_is_seen_and_one_on_the_person_is_not():
    from styleheat_cli.face.landmarks import Landmarker
    from tests.synthetic import face

    source = np.pad(face(512), ((0, 0), (200, 200), (0, 0)), mode="edge")
    with Landmarker() as landmarker:
        points = landmarker.find(source)[0]
    middle = points[:468, :2].mean(0).astype(int)
    on_face, far = source.copy(), source.copy()
    on_face[middle[1] - 10 : middle[1] + 10, middle[0] - 10 : middle[0] + 10] = 255
    far[:20, :20] ^= 128
    for image, changes in ((source, False), (on_face, False), (far, True)):
        measure = Background(Setting())
        measure.update(Moment(view(points, image=image), source=view(points, image=source)))
        found = values(measure)
        assert (found["background"].value > 0) == changes
        assert (found["background-changed"].value > 0) == changes
        assert (found["background-touched"].value > 0) == changes
    outside = outside_people(source.shape[:2], view(points, image=source))
    assert 0.2 < outside.mean() < 0.8 and outside[:100, :100].all() and not outside[middle[1], middle[0]]


def test_every_metric_has_a_sentence_and_a_name_with_its_protocol():
    for name, entry in CATALOGUE.items():
        assert entry.spec.says and entry.spec.printed.startswith(name + "[")
        assert entry.spec.needs <= {"reference", "driving", "source", "audio", "faces", "real", "pixels"}
