"""The gallery shows everything that can be done, at moments when it is done."""

from pathlib import Path

from styleheat_cli.commands.gallery import COLUMNS, rows
from styleheat_cli.ops import edits
from styleheat_cli.ops.edit_3dmm import STOP_S, TOUR

SHEET = Path(__file__).parents[2] / "recipes" / "edit" / "gallery.jpg"


def test_every_edit_has_a_row_and_every_row_its_pictures():
    shown = rows(Path("bob.safetensors"), Path("speech.wav"))
    assert {step.op for row in shown for step in row.steps} == {kind.model_fields["op"].default for kind in edits().values()}
    assert all(len(row.moments_s) == COLUMNS and sorted(row.moments_s) == list(row.moments_s) for row in shown)


def test_the_tour_is_shown_at_its_stops():
    tour = next(row for row in rows(Path("a.safetensors"), Path("b.wav")) if row.steps[0].op == "edit-3dmm")
    stops = [TOUR[round((moment / STOP_S - 1) / 2)] for moment in tour.moments_s]
    assert all((moment / STOP_S) % 2 == 1 for moment in tour.moments_s)
    assert [next(iter(stop)) for stop in stops] == ["roll", "pitch", "yaw", "yaw", "jaw_open", "pucker", "blink_left", "gaze_x"]


def test_the_sheet_of_the_readme_is_small():
    assert 50_000 < SHEET.stat().st_size < 300_000
