"""The points of faces: where they are, whatever the size and the turn, the same each time, and in silence."""

import subprocess
import sys

import numpy as np
import pytest

from styleheat_cli.face.landmarks import Region, box, face_height, overlap, region_of, view_of
from tests.synthetic import face

from .conftest import head, put, scene


def test_the_portrait_has_one_face_with_its_features_in_their_places(landmarker):
    found = landmarker.find(face(512))
    assert len(found) == 1 and found[0].shape == (478, 3) and found[0].dtype == np.float32
    points = found[0]
    for point, place in {468: (204, 105), 473: (246, 107), 4: (227, 124), 13: (223, 146)}.items():  # irises, nose, lips
        assert np.hypot(*(points[point, :2] - place)) < 6, point
    assert points[4, 2] < points[234, 2] and points[4, 2] < points[454, 2], "the nose is nearer than the ears"


def test_the_same_picture_and_region_give_the_same_points_whatever_came_between(landmarker):
    region = region_of(landmarker.find(face(512))[0])
    first = landmarker.at(face(512), region)
    landmarker.find(scene(3))
    landmarker.at(scene(1), Region(100, 100, 80))
    np.testing.assert_array_equal(landmarker.at(face(512), region), first)


def test_a_wall_has_no_face(landmarker):
    assert landmarker.find(scene(2)) == []
    assert landmarker.at(scene(2), Region(200, 120, 100)) is None


def test_a_region_outside_the_frame_or_in_the_corner_has_no_face(landmarker):
    for region in (Region(-500, -500, 50), Region(900, 100, 50), Region(0, 0, 3)):
        assert landmarker.at(scene(2), region) is None


def test_several_faces_come_from_left_to_right(landmarker):
    picture = scene(0, 300, 700)
    for x, stranger in ((560, False), (120, True), (340, False)):
        picture = put(picture, head(80, stranger), x, 150)
    middles = [float(points[:, 0].mean()) for points in landmarker.find(picture)]
    assert len(middles) == 3 and np.abs(np.array(middles) - [120, 340, 560]).max() < 15


@pytest.mark.parametrize("height", [30, 60, 140])
def test_points_of_small_faces_lie_on_the_face_and_not_half_a_pixel_beside(landmarker, height):
    """A picture and its mirror image must mirror: an offset would show twice."""
    errors = []
    for shift in (0.0, 0.25, 0.5, 0.75):
        picture = put(scene(0), head(height), 200 + shift, 120)
        plain = landmarker.find(picture)[0]
        region = region_of(plain)
        mirrored = Region(picture.shape[1] - region.x, region.y, region.side, -region.angle)
        flipped = landmarker.at(np.ascontiguousarray(picture[:, ::-1]), mirrored)
        errors.append(plain[:, 0].mean() + flipped[:, 0].mean() - picture.shape[1])
    assert abs(np.mean(errors)) < 0.3 + 0.004 * height


@pytest.mark.parametrize("scale", [1, 3, 6])
def test_large_faces_have_the_points_of_small_ones_enlarged(landmarker, scale):
    cv2 = pytest.importorskip("cv2")
    small = landmarker.find(face(512))[0]
    picture = cv2.resize(face(512), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    large = landmarker.find(picture)[0]
    off = np.linalg.norm(large[:, :2] / scale - small[:, :2], axis=1).mean()
    assert off < 0.02 * face_height(small)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135, 180, -120, -60])
def test_a_turned_portrait_has_turned_points(landmarker, degrees):
    cv2 = pytest.importorskip("cv2")
    upright = landmarker.find(face(512))[0]
    matrix = cv2.getRotationMatrix2D((226, 122), -degrees, 1)
    matrix[:, 2] += [100, 180]
    turned = cv2.warpAffine(face(512), matrix, (700, 600), borderMode=cv2.BORDER_REFLECT)
    expected = (upright[:, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    found = min((np.linalg.norm(p[:, :2] - expected, axis=1).mean() for p in landmarker.find(turned)), default=np.inf)
    assert found < 0.03 * face_height(upright)


def test_the_view_of_a_turned_region_is_upright():
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[50:, 50:] = 255  # below and right
    seen = view_of(picture, Region(50, 50, 40, np.pi / 2), 40)  # its up is the picture's right
    assert seen[:18, 22:].min() == seen[:18, 22:].max() == 0 or seen[22:, :18].max() == 0
    assert (seen[2:18, 22:38] == 255).all() and (seen[22:38].max() == 0)


def test_overlap_of_boxes():
    a, b = np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])
    assert overlap(a, a) == 1 and overlap(a, b) == pytest.approx(1 / 3) and overlap(a, b + 5) == 0
    np.testing.assert_array_equal(box(np.float32([[1, 2, 9], [3, 0, 9]])), [1, 0, 3, 2])


SILENT = """
import sys, threading
import numpy as np
from styleheat_cli.face.landmarks import Landmarker, Region
from styleheat_cli.face.matte import matte
picture = np.zeros((64, 64, 3), np.uint8)
with Landmarker() as landmarker:
    landmarker.find(picture, thorough=False)
matte(picture)
print("data")
print("talk", file=sys.stderr)
"""


def test_the_networks_say_nothing_on_stdout_or_stderr():
    done = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, timeout=120, check=True)
    assert done.stdout == b"data\n"
    assert done.stderr == b"talk\n"


def test_what_others_write_while_the_networks_are_kept_quiet_is_not_lost():
    code = ("import os\nfrom styleheat_cli.face.quiet import quiet\n"
            "with quiet():\n    os.write(2, b'INFO: Created TensorFlow Lite\\nframe 3 of 9\\n')\n"
            "    with quiet():\n        os.write(2, b'W0000 00:00:1 x.cc:1] noise\\nand more')\n"
            "os.write(2, b'|after')")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stderr == b"frame 3 of 9\nand more|after"


def test_an_error_inside_leaves_stderr_as_it_was():
    code = ("import os\nfrom styleheat_cli.face.quiet import quiet\n"
            "try:\n    with quiet():\n        raise ValueError\nexcept ValueError:\n    os.write(2, b'here')")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stderr == b"here"


def test_importing_the_package_does_not_import_mediapipe():
    code = ("import sys, styleheat_cli.face.track, styleheat_cli.face.matte, styleheat_cli.face.align\n"
            "sys.exit('mediapipe' in sys.modules or 'torch' in sys.modules or 'cv2' in sys.modules)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
