"""Keys, versions and batches: what a caller may rely on when it repeats, races, or sends many commands at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from worlds import BERLIN, DENVER, NEW_YEAR, World

from orderstate import Answer, InvalidInput, KeyReused, NotFound, Options, OrderstateError, Refused, StaleVersion
from orderstate.engine.commands import (
    MAX_KEY,
    Adjust,
    Advance,
    Cancel,
    Command,
    Configure,
    Count,
    Fire,
    Place,
    Receive,
    Redirect,
    Retie,
    SetFacility,
    Split,
    UseFlow,
)
from orderstate.engine.runner import HANDLERS


@pytest.fixture
def two(world: World) -> World:
    """Orders in all situations: `pending`, `tied` in two places, `far` from what came nearer since."""
    world.facility("DEN", "39.74,-104.99", MUG=4, PEN=9)
    world.facility("NYC", "40.71,-74.01", MUG=9, PEN=9)
    world.order(id="pending", MUG=2)
    world.tied(id="tied", MUG=6)
    world.tied(id="far", MUG=1)
    world.engine.receive("DEN", "MUG", 3)
    return world


def keyed(key: str | None, *, by: str | None = None, role: str = "operator") -> dict[str, Command]:
    """One command of each kind, all under the same key."""
    more: dict[str, Any] = {"by": by, "role": role}
    return {
        "place": Place(lines={"MUG": 2}, to=DENVER, key=key, **more),
        "fire": Fire(order="pending", trigger="tie_inventory", key=key, **more),
        "retie": Retie(order="far", key=key, **more),
        "advance": Advance(order="pending", key=key, **more),
        "cancel": Cancel(order="tied", lines={"MUG": 1}, key=key, **more),
        "redirect": Redirect(order="tied", to=BERLIN, key=key, **more),
        "split": Split(order="tied", facility="NYC", key=key, **more),
        "receive": Receive(facility="DEN", items=[("MUG", 1)], key=key, **more),
        "adjust": Adjust(facility="DEN", sku="MUG", by_units=1, key=key, **more),
        "count": Count(facility="DEN", items=[("PEN", "primary", 3, None, None)], key=key, **more),
        "facility": SetFacility(facility="LAX", values={"country": "US"}, new=True, key=key, **more),
        "config": Configure(setting="short", value="refuse", key=key, **more),
        "use_flow": UseFlow(flow={"extends": "standard", "name": "ours"}, key=key, **more),
    }


def test_there_is_one_of_each_kind_here() -> None:
    assert {type(command) for command in keyed(None).values()} == set(HANDLERS)
    assert {name: command.name for name, command in keyed(None).items()} == {name: name for name in keyed(None)}


@pytest.mark.parametrize("kind", keyed(None))
def test_the_same_key_with_the_same_content_gives_the_first_answer_and_changes_nothing(kind: str, two: World) -> None:
    first = two.engine.execute(keyed("k")[kind])
    assert first.changed
    assert not first.repeated
    with two.unchanged():
        again = two.another().execute(keyed("k")[kind])
    assert again.repeated
    assert again == first
    assert again.document == first.document
    two.check()


@pytest.mark.parametrize("kind", keyed(None))
def test_the_same_key_with_other_content_is_an_error_that_tells_the_first_answer(kind: str, two: World) -> None:
    first = two.engine.execute(keyed("k")[kind])
    other = "redirect" if kind == "place" else "place"
    for command in (keyed("k")[other], keyed("k", by="somebody else")[kind], keyed("k", role="system")[kind]):
        with two.unchanged(), pytest.raises(KeyReused) as caught:
            two.engine.execute(command)
        assert caught.value.exit_status == 10
        assert caught.value.values["first"] == first.document


def test_keys_are_one_space_for_all_commands_of_a_database(two: World) -> None:
    two.engine.receive("DEN", "MUG", 1, key="one")
    with pytest.raises(KeyReused, match="used before for another receive"):
        two.engine.place({"MUG": 1}, DENVER, key="one")


def test_the_same_content_may_be_written_in_other_ways(two: World) -> None:
    first = two.engine.place({"PEN": 2, "MUG": 3}, "us@39.740,-104.99", key="k")
    again = two.engine.place([("MUG", 1), ("PEN", 2), ("MUG", 2)], DENVER, key="k", at=NEW_YEAR)
    assert again == first
    assert again.repeated
    tie = Options(only=frozenset({"DEN", "NYC"}))
    two.engine.tie("pending", options=tie, key="t")
    assert two.engine.tie("pending", options=Options(only=frozenset({"NYC", "DEN"})), key="t").repeated
    with pytest.raises(KeyReused):
        two.engine.tie("pending", key="t")


@pytest.mark.parametrize(
    "command",
    [
        Fire(order="pending", trigger="ship", key="k"),
        Fire(order="nobody", trigger="ship", key="k"),
        Place(lines={"CUP": 1}, to=DENVER, key="k"),
        Adjust(facility="DEN", sku="MUG", to_units=0, key="k"),
        Fire(order="pending", trigger="untie", if_version=9, key="k"),
    ],
)
def test_only_successes_are_remembered(command: Command, two: World) -> None:
    assert isinstance(two.attempt(command), OrderstateError)
    assert two.rows("SELECT count(*) FROM idempotency") == [(0,)]
    assert not two.engine.place({"MUG": 1}, DENVER, key="k").repeated


def test_a_refused_command_with_a_key_goes_when_it_can(two: World) -> None:
    ship = Fire(order="pending", trigger="ship", key="k")
    assert isinstance(two.attempt(ship), Refused)
    two.engine.tie("pending")
    assert two.engine.execute(ship).state == "shipping"
    assert two.engine.execute(ship).repeated


def test_a_quiet_success_is_remembered_too(two: World) -> None:
    two.engine.cancel("pending")
    assert not two.engine.cancel("pending", key="k").changed
    assert two.engine.cancel("pending", key="k").repeated


def test_a_repeat_answers_as_it_was_then_and_not_as_it_is_now(two: World) -> None:
    tie = Fire(order="pending", trigger="tie_inventory", key="k")
    two.engine.execute(tie)
    two.engine.ship("pending")
    with two.unchanged():
        answer = two.engine.execute(tie)
    assert (answer.state, answer.version, two.engine.order("pending").state) == ("inventory_tied", 2, "shipping")


def test_an_order_that_was_put_to_wait_says_5_again(two: World) -> None:
    order = two.order(MUG=100)
    first = two.engine.tie(order, key="k")
    assert (first.exit_status, two.engine.tie(order, key="k").exit_status) == (5, 5)


@pytest.mark.parametrize(
    "key", [" ", "\n\t", "'; DROP TABLE orders; --", "%s%?:1", "ключ-🔑", "a" * MAX_KEY, "#1", "0"]
)
def test_a_key_may_have_odd_signs(key: str, two: World) -> None:
    first = two.engine.place({"MUG": 1}, DENVER, key=key)
    assert two.engine.place({"MUG": 1}, DENVER, key=key) == first
    assert two.engine.place({"MUG": 1}, DENVER, key=key).repeated


def test_keys_that_look_alike_are_different(two: World) -> None:
    keys = ["é", "e\u0301", "E", "e", " e", "e "]
    orders = {two.engine.place({"MUG": 1}, DENVER, key=key).order for key in keys}
    assert len(orders) == len(keys)


@pytest.mark.parametrize("key", ["", "a" * (MAX_KEY + 1), "a\x00b", "\udcff", 7, b"k", True])
def test_what_cannot_be_kept_is_no_key(key: Any, two: World) -> None:
    with two.unchanged(), pytest.raises(InvalidInput) as caught:
        two.engine.place({"MUG": 1}, DENVER, key=key)
    assert caught.value.values["field"] == "key"


# Versions


STALE: dict[str, Callable[[World, int], object]] = {
    "fire": lambda w, v: w.engine.ship("tied", if_version=v),
    "advance": lambda w, v: next(w.engine.advance("tied", if_version=v)),
    "cancel": lambda w, v: w.engine.cancel("tied", if_version=v),
    "cancel a part": lambda w, v: w.engine.cancel("tied", lines={"MUG": 1}, if_version=v),
    "redirect": lambda w, v: w.engine.redirect("tied", BERLIN, if_version=v),
    "split": lambda w, v: w.engine.split("tied", "NYC", if_version=v),
    "retie": lambda w, v: w.engine.retie("tied", if_version=v),
}


@pytest.mark.parametrize("kind", STALE)
@pytest.mark.parametrize("version", [1, 3])
def test_a_caller_who_names_another_version_is_refused(kind: str, version: int, two: World) -> None:
    with two.unchanged(), pytest.raises(StaleVersion) as caught:
        STALE[kind](two, version)
    assert (caught.value.exit_status, caught.value.values["version"]) == (6, 2)
    assert caught.value.values["if_version"] == version


@pytest.mark.parametrize("kind", STALE)
def test_a_caller_who_names_the_version_may_go_on(kind: str, two: World) -> None:
    STALE[kind](two, 2)
    two.check()


def test_a_stale_caller_is_refused_even_where_there_is_nothing_to_do(two: World) -> None:
    two.engine.cancel("pending")
    with pytest.raises(StaleVersion):
        two.engine.cancel("pending", if_version=1)
    assert not two.engine.cancel("pending", if_version=2).changed


@pytest.mark.parametrize("version", [0, -1, "x", True, 1.0, 2**63])
def test_a_version_is_a_whole_number_from_1(version: Any, two: World) -> None:
    with two.unchanged(), pytest.raises(InvalidInput):
        two.engine.ship("tied", if_version=version)


# Batches


MIXED: list[Command] = [
    Place(lines={"MUG": 1}, to=DENVER, id="new"),
    Fire(order="new", trigger="ship"),
    Fire(order="new", trigger="tie_inventory"),
    Place(lines={"CUP": 1}, to=DENVER),
    Fire(order="nobody", trigger="ship"),
    Fire(order="new", trigger="ship"),
    Place(lines={"MUG": 1}, to=DENVER, id="new"),
    Fire(order="new", trigger="cancel"),
    Place(lines={"MUG": 1}, to=DENVER),
]


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 9, 500])
def test_what_is_refused_inside_a_batch_changes_nothing_and_stops_nobody(batch: int, two: World) -> None:
    outcomes = list(two.engine.run(MIXED, batch=batch))
    said = [o.state if isinstance(o, Answer) else o.code for o in outcomes]
    assert said == [
        "pending", "not_from_here", "inventory_tied", "unknown_sku", "unknown_order", "shipping", "order_exists",
        "goods_still_here", "pending",
    ]  # fmt: skip
    assert isinstance(outcomes[-1], Answer)
    assert outcomes[-1].order == "1001"
    assert two.refusals("new") == {("ship", "not_from_here"): 1, ("cancel", "goods_still_here canceller_may"): 1}
    two.check()


def test_an_answer_appears_only_after_its_transaction_is_committed(two: World) -> None:
    outcomes = two.engine.run([Place(lines={"MUG": 1}, to=DENVER)] * 5, batch=2)
    committed = [two.rows("SELECT count(*) - 3 FROM orders")[0][0] for _ in outcomes]
    assert committed == [2, 2, 4, 4, 5]


def test_commands_are_drawn_batch_by_batch_so_that_a_stream_may_be_endless(two: World) -> None:
    drawn = []

    def endless() -> Iterator[Command]:
        while True:
            drawn.append(1)
            yield Place(lines={"MUG": 1}, to=DENVER)

    outcomes: Any = two.engine.run(endless(), batch=3)
    next(outcomes)
    assert len(drawn) == 3
    outcomes.close()
    assert two.rows("SELECT count(*) - 3 FROM orders") == [(3,)]
    assert two.another(timeout=0.2).place({"MUG": 1}, DENVER).changed


def test_a_stream_that_breaks_keeps_the_batches_before_it(two: World) -> None:
    def broken() -> Iterator[Command]:
        yield from [Place(lines={"MUG": 1}, to=DENVER)] * 3
        raise RuntimeError("the file is cut")

    with pytest.raises(RuntimeError, match="the file is cut"):
        list(two.engine.run(broken(), batch=2))
    assert two.rows("SELECT count(*) - 3 FROM orders") == [(2,)]


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_holds_at_least_one_command(batch: int, two: World) -> None:
    with two.unchanged(), pytest.raises(InvalidInput) as caught:
        list(two.engine.run(MIXED, batch=batch))
    assert caught.value.values["field"] == "batch"


def test_no_commands_are_no_transaction(two: World) -> None:
    with two.unchanged():
        assert list(two.engine.run([])) == []
        assert two.engine.all_or_nothing([]) == []


def test_one_key_twice_in_one_batch_has_one_effect(two: World) -> None:
    place = Place(lines={"MUG": 1}, to=DENVER, key="k")
    first, second, third = two.engine.run([place, place, Place(lines={"MUG": 2}, to=DENVER, key="k")], batch=3)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.document, first.repeated, second.repeated) == (second.document, False, True)
    assert isinstance(third, KeyReused)


def test_all_or_nothing_is_all(two: World) -> None:
    answers = two.engine.all_or_nothing([MIXED[0], MIXED[2], MIXED[5]])
    assert [answer.state for answer in answers] == ["pending", "inventory_tied", "shipping"]


def test_all_or_nothing_is_nothing_where_one_fails(two: World) -> None:
    with two.unchanged(), pytest.raises(NotFound):
        two.engine.all_or_nothing([MIXED[0], MIXED[2], MIXED[4]])
    assert two.engine.place({"MUG": 1}, DENVER).order == "1001"


class Stop(BaseException):
    """As an interrupt is: no error of ours."""


def test_what_interrupts_a_batch_undoes_all_of_it_and_lets_the_next_writer_in(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(session: object, command: object) -> Answer:
        raise Stop

    monkeypatch.setitem(HANDLERS, Receive, stop)
    commands = [MIXED[0], Receive(facility="DEN", items=[("MUG", 1)]), MIXED[2]]
    for batch in (1, 3):
        before = two.rows("SELECT count(*) FROM orders")
        with pytest.raises(Stop):
            list(two.engine.run(commands, batch=batch))
        assert two.rows("SELECT count(*) FROM orders")[0][0] - before[0][0] == (1 if batch == 1 else 0)
    monkeypatch.undo()
    assert two.another(timeout=0.2).place({"MUG": 1}, DENVER).changed
    two.check()


def test_two_engines_on_one_database_see_each_others_commands(two: World) -> None:
    other = two.another()
    order = other.place({"MUG": 1}, DENVER).order
    assert two.engine.tie(order).version == 2
    assert other.ship(order, if_version=2).version == 3
    assert two.engine.order(order) == other.order(order)
