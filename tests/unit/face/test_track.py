"""One identity through a clip: late, leaving, returning, crossing, cut, small, turned; and no face at all."""

from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.errors import FaceError, RecipeError
from styleheat_cli.face.landmarks import face_height
from styleheat_cli.face.track import find_faces, track

from .conftest import FPS, HEIGHT, WIDTH, centres, clip, head, put, scene

HEAD, STRANGER = head(70), head(70, stranger=True)


def follow(frames, **options):
    height, width = frames[0].image.shape[:2]
    return track(frames, height=height, width=width, **options)


def pictures_with(places, piece=HEAD, background=None):
    """A picture for each place (x, y) of the head; None for none."""
    background = scene() if background is None else background
    return [background if place is None else put(background, piece, *place) for place in places]


def test_a_moving_head_is_followed_and_its_crop_moves_with_it():
    places = [(120 + 4 * i, 110) for i in range(40)]
    followed = follow(clip(pictures_with(places)))
    assert followed.seen.all() and followed.gaps == () and followed.cuts == ()
    moved = centres(followed.boxes) - centres(followed.boxes)[0]
    np.testing.assert_allclose(moved, np.array(places) - places[0], atol=2.0)
    np.testing.assert_allclose(np.diff(-followed.crop[:, 0, 2] / followed.crop[:, 0, 0]), 4, atol=0.5)


def test_a_face_that_enters_late_leaves_and_returns_elsewhere_has_its_gaps_told():
    places = [None] * 10 + [(120, 110)] * 10 + [None] * 15 + [(300, 120)] * 10 + [None] * 5
    followed = follow(clip(pictures_with(places)))
    assert followed.seen.tolist() == [place is not None for place in places]
    assert [(round(g.start_s * FPS), round(g.end_s * FPS), g.frames, g.why) for g in followed.gaps] == [
        (0, 10, 10, "no face"), (20, 35, 15, "no face"), (45, 50, 5, "no face")]  # fmt: skip
    at = centres(followed.boxes)
    assert np.ptp(at[:10], axis=0).max() == 0 and np.ptp(at[45:], axis=0).max() == 0, "the ends are held"
    assert (np.diff(at[19:36, 0]) > 5).all(), "between two places the box travels"
    np.testing.assert_allclose(followed.landmarks[27], (followed.landmarks[19] + followed.landmarks[35]) / 2, atol=0.1)


def test_held_gaps_repeat_the_last_pose():
    followed = follow(clip(pictures_with([(120, 110)] * 5 + [None] * 6 + [(300, 120)] * 5)), on_missing="hold")
    assert (followed.landmarks[5:11] == followed.landmarks[4]).all()


def test_a_missing_face_fails_by_name_time_and_frame_where_that_is_asked():
    with pytest.raises(FaceError, match=r"talk\.mp4 0\.120 s \(frame 3\): no face") as caught:
        follow(clip(pictures_with([(120, 110)] * 3 + [None] * 3)), on_missing="fail", file=Path("talk.mp4"))
    assert caught.value.file == Path("talk.mp4") and caught.value.time_s == pytest.approx(0.12)


def crossing(count=48):
    """The head walks right, the stranger left and in front of it."""
    pictures, own, other = [], [], []
    for i in range(count):
        x, z = 70 + 6 * i, WIDTH - 70 - 6 * i
        pictures.append(put(put(scene(), HEAD, x, 110), STRANGER, z, 125))
        own.append(x)
        other.append(z)
    return clip(pictures), np.array(own), np.array(other)


@pytest.mark.parametrize("select", ["left", "right", 1, 2])
def test_faces_that_cross_keep_their_own_tracks(select):
    frames, head_x, stranger_x = crossing()
    followed = follow(frames, select=select)
    mine, theirs = (head_x, stranger_x) if select in ("left", 1) else (stranger_x, head_x)
    x, seen = centres(followed.boxes)[:, 0], followed.seen
    apart = np.abs(mine - theirs) > 25
    assert (np.abs(x - mine) < 12)[seen & apart].all(), "never on the other one"
    assert seen[:12].all() and seen[-12:].all(), "found again behind the crossing"


def test_the_largest_face_is_chosen_and_numbers_count_from_the_left():
    picture = put(put(scene(), head(60), 90, 110), head(90, stranger=True), 300, 110)
    frames = clip([picture] * 2)
    x = {select: centres(follow(frames, select=select).boxes)[0, 0] for select in ("largest", "left", "right", 1, 2)}
    assert x["largest"] == x["right"] == x[2] > 200 > x["left"] == x[1]
    with pytest.raises(FaceError, match="there is no face 3; 2 seen"):
        follow(frames, select=3)
    with pytest.raises(RecipeError, match="--face middle"):
        follow(frames, select="middle")


def test_a_cut_is_told_and_the_person_found_again_in_the_other_shot():
    first = pictures_with([(100 + i, 110) for i in range(12)])
    second = [put(picture, STRANGER, 90, 120) for picture in pictures_with([(320, 120)] * 12, background=scene(5))]
    followed = follow(clip(first + second))
    assert followed.cuts == (12 / FPS,) and followed.seen.all()
    assert (np.abs(centres(followed.boxes)[12:, 0] - 320) < 12).all()
    sides = 1 / followed.crop[:, 0, 0]
    assert np.ptp(sides[:12]) == np.ptp(sides[12:]) == 0 and np.ptp(followed.crop[12:], axis=0).max() < 0.02


def test_after_a_cut_to_somebody_else_the_face_is_missing_and_not_exchanged():
    first = pictures_with([(150, 110)] * 10)
    second = pictures_with([(150, 110)] * 10, STRANGER, scene(5))
    followed = follow(clip(first + second + first))
    assert followed.seen.tolist() == [True] * 10 + [False] * 10 + [True] * 10
    assert [gap.why for gap in followed.gaps] == ["another face"]
    assert followed.cuts == (10 / FPS, 20 / FPS)


def test_an_insert_that_changes_beside_a_steady_face_is_no_cut():
    places = [(120 + 0.5 * i, 110) for i in range(20)]
    pictures = pictures_with(places)
    for picture in pictures[10:]:
        picture[:, 230:] = 255 - picture[:, 230:]
    followed = follow(clip(pictures))
    assert followed.cuts == () and followed.seen.all()


@pytest.mark.parametrize("height", [20, 28, 40])
def test_small_faces_are_found_and_followed(height):
    followed = follow(clip(pictures_with([(200 + i, 110) for i in range(6)], head(height), scene(0, 360, 640))))
    assert followed.seen.all()
    assert abs(face_height(followed.landmarks[3]) / height - 1) < 0.2


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_faces_are_found_and_their_crop_is_upright(turns):
    upright = put(scene(), head(90), 200, 120)
    frames = clip([np.ascontiguousarray(np.rot90(upright, turns))] * 3)
    followed = follow(frames)
    assert followed.seen.all()
    matrix = followed.crop[0]
    eyes = followed.landmarks[0][[33, 263], :2] @ matrix[:, :2].T
    mouth_below = (followed.landmarks[0][[13, 168], :2] @ matrix[:, :2].T)[:, 1]
    assert abs(np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1]))) < 12 and mouth_below[0] > mouth_below[1] + 0.1


def test_no_face_at_all_says_where_it_looked_and_for_what():
    with pytest.raises(FaceError, match=rf"wall\.mp4: no face from 0\.0 s to 0\.2 s \(6 frames of {WIDTH}x{HEIGHT}"):
        follow(clip([scene()] * 6), file=Path("wall.mp4"))


def test_no_frames_is_an_error_that_points_to_the_trim():
    with pytest.raises(FaceError) as caught:
        track([], height=10, width=10, file=Path("talk.mp4"))
    assert "--start" in caught.value.hint


def test_a_still_has_one_row_and_one_crop():
    followed = follow(clip([put(scene(), HEAD, 200, 110)]))
    assert followed.crop.shape == (1, 2, 3) and followed.landmarks[:].shape == (1, 478, 3) and followed.seen.all()


def test_the_census_numbers_people_from_the_left_and_then_as_they_come():
    both = put(put(scene(), HEAD, 300, 110), STRANGER, 90, 110)
    frames = clip([scene()] * 5 + [both] * 20 + pictures_with([(300, 110)] * 30))
    people = find_faces(frames, every_s=0.2)
    assert [who.id for who in people] == [1, 2]
    assert centres(np.array(people[0].boxes))[0, 0] < 150 < centres(np.array(people[1].boxes))[0, 0]
    assert people[0].times[0] == people[1].times[0] == 0.2
    assert people[0].times[-1] < 1.0 and people[1].times[-1] >= 1.8
    assert 1 <= len(people[1].thumbnails) <= 8 and people[1].thumbnails[0].shape == (128, 128, 3)


def test_people_who_come_while_a_small_face_is_searched_are_not_missed_for_long():
    """Thorough searches become rarer while nobody is there; an ordinary face is still seen at once."""
    frames = clip([scene()] * 60 + pictures_with([(150, 110)] * 3))
    assert follow(frames).seen.tolist() == [False] * 60 + [True] * 3
