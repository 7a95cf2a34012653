"""Rows on disk behave like the array they stand for."""

import numpy as np
import pytest

from styleheat_cli.face.rows import Rows

VALUES = np.random.default_rng(0).normal(size=(600, 4, 3)).astype(np.float32)


@pytest.fixture
def rows() -> Rows:
    made = Rows((4, 3))
    made.extend(VALUES[:500])
    for row in VALUES[500:]:
        made.append(row)
    return made


@pytest.mark.parametrize("where", [0, -1, 599, slice(None), slice(10, 20), slice(None, None, 7), slice(590, 999),
                                   slice(5, 2), np.array([3, 1, 599]), np.arange(600) % 2 == 0])  # fmt: skip
def test_indexing_gives_what_the_array_gives(rows, where):
    np.testing.assert_array_equal(rows[where], VALUES[where])


def test_length_iteration_and_conversion(rows):
    assert len(rows) == 600 and rows.shape == (600, 4, 3)
    np.testing.assert_array_equal(np.stack(list(rows)), VALUES)
    np.testing.assert_array_equal(np.asarray(rows, np.float64), VALUES.astype(np.float64))


def test_replaced_rows_stay_replaced(rows):
    rows[7] = np.zeros((4, 3))
    rows[10:12] = VALUES[:2]
    assert (rows[7] == 0).all() and (rows[10:12] == VALUES[:2]).all() and (rows[8] == VALUES[8]).all()


def test_what_was_read_is_a_copy(rows):
    rows[0:2][:] = 0
    np.testing.assert_array_equal(rows[0:2], VALUES[:2])


def test_beyond_the_end_is_an_index_error(rows):
    with pytest.raises(IndexError):
        rows[600]


def test_the_memory_of_ten_minutes_is_that_of_ten_seconds():
    resource = pytest.importorskip("resource")
    made = Rows((478, 3))
    block = np.zeros((300, 478, 3), np.float32)
    made.extend(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(60):
        made.extend(block)
    assert sum(1 for _ in made) == 18300
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 20_000, "the rows themselves are 105 MB"
