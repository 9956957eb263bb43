"""Several workers share the work: every local effect once, no two calls at a time for one order, nothing lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from doers import alone, effects, rows
from racers import race
from workers import act
from worlds import World

ORDERS = 40


def test_workers_share_the_work_while_orders_come_in(world: World) -> None:
    alone(world, ("count", "local"), ("in_and_out", "outside"))
    path = world.path
    deliveries = 2 * 2 * 2 * ORDERS
    made = race(
        act,
        (path, "place", ORDERS, 0),
        (path, "place", ORDERS, 0),
        (path, "work", 7, deliveries),
        (path, "work", 3, deliveries),
        (path, "work", 50, deliveries),
    )
    assert all(isinstance(number, int) for number in made), made
    assert sum(made) == deliveries
    for name in ("count", "in_and_out"):
        found = rows(world, name)
        assert len(found) == deliveries // 2
        assert set(found.values()) == {(1, True, False, None)}
    done = effects(world)
    assert len(done) == len(set(done)) == deliveries // 2
    _in_order(done)
    _one_at_a_time(Path(f"{path}.told").read_text(encoding="utf-8").splitlines())
    world.check()


def _in_order(events: list[str]) -> None:
    seen: dict[str, int] = {}
    for event in events:
        order, _, number = event.partition(":")
        assert int(number) == seen.get(order, 0) + 1
        seen[order] = int(number)


def _one_at_a_time(lines: list[str]) -> None:
    inside: set[str] = set()
    calls: Counter[str] = Counter()
    for line in lines:
        word, event = line.split()
        order = event.partition(":")[0]
        if word == "in":
            assert order not in inside, f"{event} while another call for {order} was going on"
            inside.add(order)
            calls[event] += 1
        else:
            inside.remove(order)
    assert set(calls.values()) == {1}
    assert not inside
