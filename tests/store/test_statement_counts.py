"""How many statements each command sends: small numbers that do not grow, so that a regression shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from worlds import DENVER, World

from orderstate.engine.commands import Fire, Place

TWO = {"MUG": 1, "PEN": 1}


@contextmanager
def sent(world: World) -> Iterator[list[str]]:
    """The statements that the engine's two connections are sent meanwhile."""
    statements: list[str] = []
    store = world.engine.store
    for connection in (store._writer, store._reader):
        assert connection is not None
        connection.set_trace_callback(statements.append)
    yield statements
    for connection in (store._writer, store._reader):
        assert connection is not None
        connection.set_trace_callback(None)


@pytest.fixture
def warm(world: World) -> World:
    """Both connections are open and the network is known; orders of two lines in each state."""
    world.facility("DEN", "39.74,-104.99", MUG=50, PEN=50)
    world.facility("NYC", "40.71,-74.01", MUG=50, PEN=50)
    world.order(id="pending", MUG=1, PEN=1)
    world.tied(id="tied", MUG=1, PEN=1)
    world.engine.ship(world.tied(id="gone", MUG=1, PEN=1))
    world.engine.cancel(world.order(id="over", MUG=1, PEN=1))
    world.engine.place(TWO, DENVER, key="known")
    world.engine.show("gone")
    return world


ONE_TRANSACTION = 2
"""BEGIN IMMEDIATE and COMMIT, or BEGIN and ROLLBACK."""

COMMANDS: dict[str, tuple[int, Callable[[World], object]]] = {
    # the number; the network's version, for the policy in force; the order; its two lines; the event; two deliveries
    "place": (8, lambda w: w.engine.place(TWO, DENVER)),
    "place with a policy of its own": (8, lambda w: w.engine.place(TWO, DENVER, short="split")),
    "place with a key": (10, lambda w: w.engine.place(TWO, DENVER, key="new")),
    "place again with a key": (1, lambda w: w.engine.place(TWO, DENVER, key="known")),
    # order, lines, network's version, stock; two counters, movements and allocations; order, event, delivery
    "tie": (13, lambda w: w.engine.tie("pending")),
    # order, lines, network's version, allocations; two counters and movements; the shipment; order, event, delivery
    "ship": (12, lambda w: w.engine.ship("tied")),
    "untie": (11, lambda w: w.engine.untie("tied")),
    "deliver": (6, lambda w: w.engine.deliver("gone")),
    "cancel": (6, lambda w: w.engine.cancel("pending")),
    "cancel what is cancelled": (3, lambda w: w.engine.cancel("over")),
    "receive": (8, lambda w: w.engine.receive("DEN", "MUG", 1)),
    # order, lines, network's version, shipments, children; ROLLBACK and BEGIN IMMEDIATE; the order's serial; the count
    "a refusal": (9, lambda w: w.attempt(Fire(order="gone", trigger="cancel"))),
}
QUESTIONS: dict[str, tuple[int, Callable[[World], object]]] = {
    "order": (2, lambda w: w.engine.order("gone")),
    "show": (7, lambda w: w.engine.show("gone")),
    "show at a version": (4, lambda w: w.engine.show("gone", 2)),
    "history": (4, lambda w: w.engine.history("gone")),
    "why": (4, lambda w: w.engine.why("pending")),
    "list": (1, lambda w: w.engine.orders()),
    "list of a state": (2, lambda w: w.engine.orders(state="pending")),
    "list of a SKU": (2, lambda w: w.engine.orders(sku="MUG")),
    "list of those waiting": (2, lambda w: w.engine.orders(waiting=True)),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_sends_so_many_statements(name: str, warm: World) -> None:
    number, command = COMMANDS[name]
    with sent(warm) as statements:
        command(warm)
    assert len(statements) == number + ONE_TRANSACTION, "\n".join(statements)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_sends_so_many_statements(name: str, warm: World) -> None:
    number, question = QUESTIONS[name]
    with sent(warm) as statements:
        question(warm)
    assert len(statements) == number + ONE_TRANSACTION, "\n".join(statements)


def test_a_list_sends_as_few_statements_for_many_orders(warm: World) -> None:
    list(warm.engine.run([Place(lines=TWO, to=DENVER)] * 60, batch=60))
    with sent(warm) as statements:
        assert len(warm.engine.orders(limit=60)) == 60
    assert len(statements) == 3


def test_a_batch_sends_one_begin_and_one_commit(warm: World) -> None:
    with sent(warm) as statements:
        list(warm.engine.run([Place(lines=TWO, to=DENVER)] * 20, batch=20))
    assert [s for s in statements if s.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert sum(s.startswith("SAVEPOINT") for s in statements) == 20


def test_facilities_and_settings_are_read_again_only_after_a_change(warm: World) -> None:
    def network_read() -> bool:
        with sent(warm) as statements:
            warm.engine.tie(warm.order(MUG=1))
        return any("FROM facility" in statement for statement in statements)

    assert [network_read(), network_read()] == [False, False]
    warm.another().set_facility("NYC", closed=True)
    assert [network_read(), network_read()] == [True, False]
