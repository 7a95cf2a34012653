"""The bite: which rows of teeth an open mouth shows, and where they part."""

import numpy as np
import pytest

from styleheat_cli.engine.bite import MIDDLE, bite_of

WHITE, DARK, PINK = (235, 230, 220), (40, 15, 18), (190, 95, 100)
TOP, BOTTOM = 40.0, 80.0


def mouth(*bands):
    """(image, outline): a mouth of 100 x 40 pixels filled with bands of colour: (last row, colour), from top to bottom."""
    image, row = np.full((128, 160, 3), 170, np.uint8), int(TOP)
    for last, colour in bands:
        image[row:last] = colour
        row = last
    x = np.linspace(30, 130, MIDDLE + 1)
    bow = 20 * np.sqrt(1 - ((x - 80) / 50) ** 2)
    lower = np.column_stack([x, 60 + bow])
    upper = np.column_stack([x, 60 - bow])[::-1]
    return image, np.vstack([lower, upper[1:-1]])


def test_one_row_ends_where_it_gets_dark():
    bite = bite_of(*mouth((60, WHITE), (80, DARK)))
    assert bite.ends[1] == pytest.approx(60, abs=2) and bite.parts is None


def test_a_row_without_an_end_goes_down_to_the_lip():
    assert bite_of(*mouth((80, WHITE))).ends[1] == pytest.approx(BOTTOM, abs=1)


def test_two_rows_are_parted_by_the_dark_between_them():
    bite = bite_of(*mouth((54, WHITE), (64, DARK), (80, WHITE)))
    assert bite.ends[1] == pytest.approx(54, abs=2) and bite.begins[1] == pytest.approx(64, abs=2)
    middle = bite.parts[MIDDLE // 2, 1]
    assert 54 < middle < 64
    assert bite.parts[0] == pytest.approx([30, 60], abs=1) and bite.parts[-1] == pytest.approx([130, 60], abs=1)


def test_a_tongue_is_no_second_row():
    assert bite_of(*mouth((54, WHITE), (64, DARK), (80, PINK))).parts is None


def test_lower_teeth_in_the_dark_are_none_that_could_be_kept():
    assert bite_of(*mouth((54, WHITE), (64, DARK), (80, (90, 85, 80)))).parts is None
