"""Many processes at once: never oversold, every unit accounted for; and the control, which oversells."""

from __future__ import annotations

from pathlib import Path

import pytest
from racers import churn, churn_or_watch, create, fire_at_version, grab, place_until, place_with_key, race, tie_with_key
from worlds import DENVER, World

from orderstate import Engine

UNITS = 120


@pytest.fixture
def scarce(world: World) -> World:
    """120 units in three places."""
    world.facility("DEN", "39.74,-104.99", MUG=40, back={"MUG": 20})
    world.facility("NYC", "40.71,-74.01", MUG=30)
    world.facility("LAX", "33.94,-118.4", MUG=30)
    return world


def allocated(world: World) -> int:
    """Units that the counters call allocated."""
    return int(world.rows("SELECT sum(allocated) FROM stock")[0][0])


def handed_out(world: World) -> int:
    """Units that orders hold."""
    return int(world.rows("SELECT coalesce(sum(units), 0) FROM allocation")[0][0])


def test_eight_processes_that_race_for_the_last_units_get_each_once(scarce: World) -> None:
    results = race(grab, *[(scarce.path, f"racer {n}", "protected") for n in range(8)])
    assert sum(result["tied"] for result in results) == UNITS
    assert allocated(scarce) == handed_out(scarce) == UNITS
    assert [list(result["ended"]) for result in results] == [[("stock_covers_order", 5)]] * 8
    scarce.check()


def test_the_same_race_without_the_protections_oversells(scarce: World) -> None:
    """The control: if this does not oversell, the race above proves nothing.

    On a busy machine one process may have taken everything before the others begin: then there is more to race for.
    """
    for received in range(UNITS, 6 * UNITS, UNITS):
        results = race(grab, *[(scarce.path, f"racer {n}", "unprotected") for n in range(8)])
        assert "hangs" not in results
        if handed_out(scarce) > received:
            return
        scarce.engine.receive("DEN", "MUG", UNITS)
    pytest.fail("nothing was oversold in five races without protection")


def test_the_conditional_update_alone_already_prevents_overselling(scarce: World) -> None:
    results = race(grab, *[(scarce.path, f"racer {n}", "conditional") for n in range(4)])
    assert "hangs" not in results
    assert allocated(scarce) == handed_out(scarce) <= UNITS


@pytest.fixture
def busy(world: World) -> World:
    """Two SKUs in two places."""
    world.facility("DEN", "39.74,-104.99", MUG=9, PEN=9)
    return world.facility("NYC", "40.71,-74.01", MUG=5, PEN=9, back={"MUG": 5})


def test_commands_of_all_kinds_beside_each_other_keep_everything_adding_up(busy: World) -> None:
    results = race(churn, *[(busy.path, f"racer {n}", 12) for n in range(4)])
    assert all(result > 24 for result in results), results
    busy.check()


def test_a_reader_beside_writers_never_sees_half_a_command(busy: World) -> None:
    results = race(churn_or_watch, (busy.path, "a", 20), (busy.path, "b", 20), (busy.path, None, 40))
    assert isinstance(results[2], int), results
    busy.check()


def test_one_key_in_four_processes_makes_one_order(scarce: World) -> None:
    results = race(place_with_key, *[(scarce.path, "web-1001", 2)] * 4)
    documents = [document for document, _ in results]
    assert documents == [documents[0]] * 4
    assert sorted(repeated for _, repeated in results) == [False] + [True] * 3
    assert scarce.rows("SELECT count(*) FROM orders") == [(1,)]


def test_one_key_with_different_contents_makes_one_order_and_clean_errors(scarce: World) -> None:
    results = race(place_with_key, *[(scarce.path, "web-1001", n) for n in range(1, 5)])
    assert sorted(result == ("key_reused", 10) for result in results) == [False] + [True] * 3
    assert scarce.rows("SELECT count(*) FROM orders") == [(1,)]


def test_one_tie_with_a_key_in_four_processes_ties_once(scarce: World) -> None:
    order = scarce.order(MUG=4)
    results = race(tie_with_key, *[(scarce.path, order, "tie-1")] * 4)
    assert sorted(results) == [(2, True, False)] + [(2, True, True)] * 3
    assert allocated(scarce) == 4


def test_one_tie_without_a_key_in_four_processes_ties_once_and_the_others_succeed_quietly(scarce: World) -> None:
    order = scarce.order(MUG=4)
    results = race(tie_with_key, *[(scarce.path, order, None)] * 4)
    assert sorted(results) == [(2, False, False)] * 3 + [(2, True, False)]
    assert allocated(scarce) == 4


def test_of_callers_who_name_the_same_version_one_wins_and_the_others_are_told(scarce: World) -> None:
    order = scarce.tied(MUG=4)
    results = race(fire_at_version, *[(scarce.path, order, 2)] * 4)
    assert sorted(results) == ["done"] + ["stale_version"] * 3
    assert scarce.engine.order(order).version == 3


def test_the_writer_lock_gives_each_of_four_writers_a_share(scarce: World) -> None:
    """SQLite's busy handler gave the slowest of four 6 % of the fastest's turns, the lock 41 % (DURABILITY.md)."""
    race(place_until, *[(scarce.path, name, 1600) for name in "abcd"])
    shares = dict(scarce.rows('SELECT "by", count(*) FROM event WHERE type = \'OrderPlaced\' GROUP BY "by"'))
    assert sorted(shares) == ["a", "b", "c", "d"]
    assert min(shares.values()) * 8 > max(shares.values()), shares


def test_of_four_processes_that_create_one_database_one_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    results = race(create, *[(path,)] * 4)
    assert sorted(results) == ["exists"] * 3 + ["made"]
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith("new.db")] == []
    with Engine.open(path) as engine:
        engine.add_facility("DEN", country="US")
        engine.receive("DEN", "MUG", 1)
        assert engine.place({"MUG": 1}, DENVER).order == "1001"
