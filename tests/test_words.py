"""Words for people: how long something lasts, and when a timer is due."""

from __future__ import annotations

import pytest

from orderstate.engine import Due
from orderstate.render.orders import timer_told
from orderstate.render.words import lasting

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59.9996, "60 s"),
        (150, "2.5 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (172_799.99, "48 h"),
        (86_400 * 14, "14 d"),
        (86_400 * 3_650, "3,650 d"),
    ],
)
def test_a_time_is_told_in_the_unit_in_which_people_would_tell_it(seconds: float, told: str) -> None:
    assert lasting(seconds) == told


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (3 * HOUR, "untie is due in 3 h, at 1970-01-21 00:00:00"),
        (30 * SECOND, "untie is due in 30 s, at 1970-01-21 00:00:00"),
        (1, "untie is due now, at 1970-01-21 00:00:00"),
        (0, "untie is due now, at 1970-01-21 00:00:00"),
        (-SECOND + 1, "untie is due now, at 1970-01-21 00:00:00"),
        (-SECOND, "untie was due 1 s ago, at 1970-01-21 00:00:00"),
        (-2 * HOUR - 5 * MINUTE, "untie was due 2.08 h ago, at 1970-01-21 00:00:00"),
        (-9 * DAY, "untie was due 9 d ago, at 1970-01-21 00:00:00"),
    ],
)
def test_a_timer_is_told_by_how_far_away_it_is(left: int, told: str) -> None:
    due = Due("1001", 2, "inventory_tied", "untie", 20 * DAY)
    assert timer_told(due, due.due_at - left) == told
    assert due.overdue(due.due_at - left) is (left <= 0)
