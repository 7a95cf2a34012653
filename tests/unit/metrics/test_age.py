"""How much older a face reads: against the source at the same moment."""

import pytest

from styleheat_cli.media.reader import frames, probe
from styleheat_cli.metrics.age import EVERY, Older
from styleheat_cli.metrics.judges import Judges
from styleheat_cli.metrics.metric import Moment, Setting, View


def test_one_moment_in_some_is_read_against_the_source_of_that_moment(mesh):
    looks = []

    def read(image, face, direction):
        looks.append(direction)
        return float(image)

    measure = Older(Setting(judges=Judges({"attributes": read})))
    for number in range(2 * EVERY):
        measure.update(Moment(View(5 + number, face=mesh), source=View(number / 2, face=mesh)))
    reading = measure.readings()[0]
    assert reading.samples == 2 and reading.value == pytest.approx((5 + (5 + EVERY / 2)) / 2)
    assert looks == ["age"] * 4


def test_a_face_that_was_made_older_reads_older(shared):
    from styleheat_cli.face.landmarks import Landmarker

    measure = Older(Setting(judges=Judges()))
    with Landmarker() as landmarker:
        before, after = (
            View(image, face=landmarker.find(image)[0])
            for image in (next(iter(frames(probe(shared / f"peers/stit_old_jim/{name}.mp4")))).image for name in ("before", "STIT"))
        )
    measure.update(Moment(after, source=before))
    assert 0.5 < measure.readings()[0].value < 4
