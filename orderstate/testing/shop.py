"""A shop for tests: a database of its own, a clock that stands still until the test moves it, and short words."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orderstate.engine import Answer, Engine
from orderstate.engine.reading import FIELDS, read
from orderstate.errors import InvalidInput, OrderstateError
from orderstate.flow import document, duration, load
from orderstate.flow import from_document as flow_of_document
from orderstate.machine import STANDARD
from orderstate.model import Flow, StockLevel
from orderstate.scenario import Coverage, from_document, moves
from orderstate.scenario.clock import Clock, pass_until
from orderstate.scenario.settling import settle
from orderstate.scenario.vocabulary import MOMENT_EXPECTED, moment, moment_text, tellable

Lines = Mapping[str, int]
Time = int | str
"""UTC microseconds since 1970, or `2026-01-05T09:00:00Z`."""


@contextmanager
def world(
    *,
    facilities: Mapping[str, Any] | None = None,
    stock: Mapping[str, Any] | None = None,
    flow: Flow | Mapping[str, Any] | str | Path | None = None,
    settings: Mapping[str, str] | None = None,
    clock: Time = "2026-01-01T00:00:00Z",
) -> Iterator[Shop]:
    """A new shop in a temporary database, which goes with it.

    facilities: code to `US@39.86,-104.67`, or to the fields of `facility add`. stock: facility to SKU to units, or to
    `{"primary": 3, "back": 20, "safety": {"primary": 1}, "grams": 250}`. flow: a flow, its document, or its file; None:
    the standard flow. settings: as `config set` takes them. clock: when it begins.

    Raises InvalidInput and NotFound, which name the part that cannot be, and Refused for a flow that the check refuses.
    """
    began = _moment(clock)
    made: dict[str, Any] = {"clock": moment_text(began)}
    if facilities is not None:
        made["facilities"] = {code: _facility(code, given) for code, given in facilities.items()}
    if stock is not None:
        made["stock"] = stock
    if flow is not None:
        made["flow"] = document(flow) if isinstance(flow, Flow) else flow if isinstance(flow, Mapping) else str(flow)
    if settings is not None:
        made["settings"] = settings
    script = from_document({"scenario": "world", "world": made, "steps": [{"wait": "1s"}]}, name="world")
    with tempfile.TemporaryDirectory(prefix="orderstate-testing-") as folder:
        stands = Clock(began)
        with Engine.create(Path(folder) / "shop.db", clock=stands) as engine:
            settle(engine, script)
            yield Shop(engine, stands)


def _facility(code: str, given: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(given, str):
        return given
    country, _, at = given.partition("@")
    if not country:
        raise InvalidInput(f"facilities.{code}", given, "COUNTRY@LAT,LON or COUNTRY, such as US@39.86,-104.67")
    return {"country": country, "at": at} if at else {"country": country}


def _flow(given: Flow | Mapping[str, Any] | str | Path) -> Flow:
    if isinstance(given, Flow):
        return given
    if isinstance(given, Mapping):
        return flow_of_document(given)
    return STANDARD if str(given) == STANDARD.name else load(given)


def _moment(given: Time) -> int:
    found = moment(given) if isinstance(given, str) else given
    if found is None or not tellable(found):
        raise InvalidInput("clock", given, f"{MOMENT_EXPECTED}, or UTC microseconds")
    return found


class Shop:
    """One shop. Whatever its words do not cover, `engine` does: it is an ordinary Engine, on the shop's clock.

    Words that change something return the engine's Answer, and raise what the engine raises.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self._refusals: set[tuple[str, str, str]] = set()
        self._flows = [engine.flow]

    # What is done

    def place(self, lines: Lines, to: str, **more: Any) -> str:
        """Place an order; its id. `more`: id, short, contact, key, role, by."""
        return self.engine.place(lines, to, **more).order

    def do(self, command: str, order: str, **fields: Any) -> Answer:
        """Any command to an order, by its name in a scenario: tie, ship, cancel, redirect; or a trigger of the flow.

        `fields` are those of the command; `role` says who asks.
        """
        named: dict[str, Any] = {"order": order, **fields}
        if "role" in named:
            named["as"] = named.pop("role")
        triggers = self.engine.machine.triggers
        if command not in FIELDS and command not in triggers:
            known = sorted({*_COMMANDS, *triggers})
            raise InvalidInput("command", command, f"one of {', '.join(known)}")
        if command in triggers and command not in _COMMANDS:
            return self._watched(order, {"command": "fire", "trigger": command, **named})
        return self._watched(order, {"command": command, **named})

    def tie(self, order: str, **fields: Any) -> Answer:
        """Tie the best stock."""
        return self.do("tie", order, **fields)

    def untie(self, order: str, **fields: Any) -> Answer:
        """Give the stock back."""
        return self.do("untie", order, **fields)

    def ship(self, order: str, **fields: Any) -> Answer:
        """Send it."""
        return self.do("ship", order, **fields)

    def deliver(self, order: str, **fields: Any) -> Answer:
        """The goods arrived."""
        return self.do("deliver", order, **fields)

    def cancel(self, order: str, **fields: Any) -> Answer:
        """Cancel it, or some `lines` of it."""
        return self.do("cancel", order, **fields)

    def redirect(self, order: str, to: str, **fields: Any) -> Answer:
        """Send it elsewhere."""
        return self.do("redirect", order, to=to, **fields)

    def split(self, order: str, facility: str, **fields: Any) -> Answer:
        """Let one facility's part move by itself; the child's id is in the answer's document."""
        return self.do("split", order, facility=facility, **fields)

    def fire(self, order: str, trigger: str, **fields: Any) -> Answer:
        """Any trigger of the flow."""
        return self.do("fire", order, trigger=trigger, **fields)

    def receive(self, facility: str, sku: str, units: int, *, pool: str = "primary") -> Answer:
        """Goods came in."""
        return self.engine.receive(facility, sku, units, pool=pool)

    def use_flow(self, flow: Flow | Mapping[str, Any] | str | Path, mapping: Mapping[str, str] | None = None) -> Answer:
        """Put another flow in force: a flow, its document, its file, or `standard`."""
        answer = self.engine.use_flow(_flow(flow), mapping=mapping)
        self._flows.append(self.engine.flow)
        return answer

    def refused(self, command: str, order: str, *codes: str, **fields: Any) -> OrderstateError:
        """The command must be refused with exactly these codes, in any order; without codes: whatever the reason.

        Gives the error. Raises AssertionError where it is done, or refused for other reasons.
        """
        try:
            answer = self.do(command, order, **fields)
        except OrderstateError as error:
            seen = sorted({blocked.code for blocked in error.blocked} or {error.code})
            if codes and seen != sorted(set(codes)):
                wanted = ", ".join(sorted(set(codes)))
                raise AssertionError(
                    f"{command} of {order} was refused with {', '.join(seen)}, not with {wanted}: {error.sentence}"
                ) from error
            return error
        done = f"led to {answer.state}" if answer.changed else "changed nothing"
        raise AssertionError(f"{command} of {order} was not refused: it {done}")

    def _watched(self, order: str, asked: Mapping[str, Any]) -> Answer:
        try:
            return self.engine.execute(read(asked))
        except OrderstateError as error:
            trigger, state = error.values.get("trigger"), error.values.get("state")
            if isinstance(trigger, str) and isinstance(state, str):
                self._refusals |= {(state, trigger, blocked.code) for blocked in error.blocked}
            raise

    # Time

    def wait(self, time: str) -> list[Answer | OrderstateError]:
        """Let time pass, such as `48h` or `30m`; what timers did, or were refused, on the way."""
        passed = duration(time)
        if passed is None:
            raise InvalidInput("wait", time, "a time such as 30m, 48h, 7d or 2w, at most ten years")
        if not tellable(self.clock.now + passed):
            raise InvalidInput("wait", time, "a time that ends in the year 9999 at the latest")
        return [outcome for _, outcome in pass_until(self.engine, self.clock, self.clock.now + passed)]

    def until(self, time: Time) -> list[Answer | OrderstateError]:
        """Let time pass up to a moment."""
        end = _moment(time)
        if end < self.clock.now:
            raise InvalidInput("until", time, f"a time from {moment_text(self.clock.now)} on: time does not go back")
        return [outcome for _, outcome in pass_until(self.engine, self.clock, end)]

    # What is

    def state(self, order: str) -> str:
        """The order's state."""
        return self.engine.order(order).state

    def events(self, order: str) -> list[str]:
        """The types of its events, oldest first."""
        return [event.type for event in self.engine.history(order).events]

    def children(self, order: str) -> list[str]:
        """The ids of the orders that were split off it, oldest first."""
        return [child for child, _ in self.engine.show(order).children]

    def taken_from(self, order: str) -> dict[str, int]:
        """Units that are tied to it, or left for it, by facility."""
        found: dict[str, int] = {}
        for a in self.engine.show(order).allocations:
            found[a.facility] = found.get(a.facility, 0) + a.units
        return found

    def stock(self, facility: str, sku: str, pool: str = "primary") -> StockLevel:
        """What a pool holds: on_hand, allocated, safety, available."""
        levels = {level.pool: level for level in self.engine.stock(facility=facility, sku=sku)}
        return levels.get(pool, StockLevel(facility, sku, pool, 0, 0, 0))

    @property
    def coverage(self) -> Coverage:
        """The transitions of the flow that orders have taken so far, those that none has, and the refusals seen."""
        taken = {
            (event.source, event.trigger, str(event.target))
            for order in self.engine.orders(limit=100_000)
            for event in self.engine.history(order.id).events
            if event.trigger is not None and event.source is not None
        }
        every = moves(*self._flows)
        return Coverage(every, every & taken, frozenset(self._refusals))


_COMMANDS = frozenset(("tie", "untie", "ship", "deliver", "fire", "advance", "cancel", "redirect", "split"))
"""Commands to one order, which go before triggers of the same name."""
