"""Commands as values: what callers ask for, checked and normalised before any transaction begins.

Every command carries `key` (idempotency), `role` and `by` (who asks), and `at` (UTC microseconds; None: the engine's
clock). Two commands with the same key are the same if their fingerprints are: name and arguments, without key and time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from orderstate.allocation import NO_OPTIONS, Options
from orderstate.errors import InvalidInput
from orderstate.geo import destination
from orderstate.model import MAX_QUANTITY, POOLS, PRIMARY, ROLES, SHORT_POLICIES, Flow

_OWN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}\Z")  # children add to the id of their parent
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")
_WHOLE = re.compile(r"\d+\Z", re.ASCII)
_SIGNED = re.compile(r"[+-]?\d+\Z", re.ASCII)
VERBS = {"tie_inventory": "tie", "untie": "untie", "ship": "ship", "deliver": "deliver", "cancel": "cancel"}
"""Triggers that a command of their own asks for."""
MAX_TEXT = 1000
MAX_KEY = 255
MAX_LINES = 10_000


def typed(order: str, trigger: str) -> str:
    """What a person types to fire a trigger: `orderstate ship 1001`, `orderstate fire 1001 authorise`."""
    verb = VERBS.get(trigger)
    return f"orderstate fire {order} {trigger}" if verb is None else f"orderstate {verb} {order}"


def quantity(field: str, value: object, *, least: int = 1) -> int:
    """A whole number of units from `least` to 2^31 - 1; text that reads as one will do. Raises InvalidInput."""
    number = value
    if isinstance(value, str):
        number = int(value.strip()) if len(value) < 40 and _WHOLE.match(value.strip()) else None
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= MAX_QUANTITY:
        raise InvalidInput(field, value, f"a whole number from {least} to {MAX_QUANTITY}")
    return number


def sku_code(value: object) -> str:
    """A SKU: 1 to 64 printable characters, no blanks at the ends. Raises InvalidInput."""
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or value != value.strip() or not value.isprintable():
        raise InvalidInput("sku", value, "1 to 64 printable characters without blanks at the ends")
    return value


def facility_code(value: object) -> str:
    """A facility code: letters, digits, dot, dash, underscore, at most 32. Raises InvalidInput."""
    if not isinstance(value, str) or not _CODE.match(value):
        raise InvalidInput("facility", value, "1 to 32 letters, digits, '.', '_' or '-'")
    return value


def pool_name(value: object) -> str:
    """A pool. Raises InvalidInput."""
    if value not in POOLS:
        raise InvalidInput("pool", value, "one of " + ", ".join(POOLS))
    return str(value)


def text(field: str, value: object) -> str | None:
    """Optional words of a person, at most 1,000 characters. Raises InvalidInput."""
    if value is None or value == "":
        return None
    if not _usable(value, MAX_TEXT):
        raise InvalidInput(field, value, f"text of at most {MAX_TEXT} characters")
    return str(value)


def _usable(value: object, most: int) -> bool:
    """Text that every database can keep: no NUL, and no half characters such as wrongly encoded arguments make."""
    return (
        isinstance(value, str)
        and len(value) <= most
        and "\x00" not in value
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


def line_items(given: Mapping[str, object] | Iterable[tuple[str, object]]) -> tuple[tuple[str, int], ...]:
    """(SKU, units) sorted by SKU, the same SKU summed. Raises InvalidInput for none, too many or unusable ones."""
    units: dict[str, int] = {}
    for sku, asked in given.items() if isinstance(given, Mapping) else given:
        code = sku_code(sku)
        units[code] = quantity("quantity", units.get(code, 0) + quantity("quantity", asked))
    if not units:
        raise InvalidInput("lines", [], 'at least one SKU with its quantity, such as {"MUG": 2}')
    if len(units) > MAX_LINES:
        raise InvalidInput("lines", len(units), f"at most {MAX_LINES} different SKUs")
    return tuple(sorted(units.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What every command carries. Raises InvalidInput at construction for what cannot be used."""

    name: ClassVar[str]
    key: str | None = None
    role: str = "operator"
    by: str | None = None
    at: int | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InvalidInput("as", self.role, "one of " + ", ".join(ROLES))
        if self.by is not None:
            text("by", self.by)
        if self.key is not None and (self.key == "" or not _usable(self.key, MAX_KEY)):
            raise InvalidInput("key", self.key, f"text of 1 to {MAX_KEY} characters")
        if self.at is not None and (type(self.at) is not int or not 0 <= self.at < 2**63):
            raise InvalidInput("at", self.at, "UTC microseconds since 1970, a whole number")
        self._check()

    def _check(self) -> None:
        """Check and normalise the command's own arguments."""

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def fingerprint(self) -> str:
        """The command's name and normalised arguments, as text that is equal for equal commands."""
        arguments = {
            f.name: value
            for f in fields(self)
            if f.name not in ("key", "at") and (value := getattr(self, f.name)) != f.default
        }
        return json.dumps([self.name, arguments], sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Options):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    raise TypeError(f"{value!r} has no plain form")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(Command):
    """Record an order. `lines`: SKU to units, or pairs; `to`: `CC@LAT,LON` or `CC`; `short`: None for the setting's.

    theirs: the id is that of another database, which may have counted it, so that it may be all digits.
    """

    name = "place"
    lines: Any
    to: str
    id: str | None = None
    short: str | None = None
    contact: str | None = None
    theirs: bool = False

    def _check(self) -> None:
        self._set(lines=line_items(self.lines), to=str(destination(self.to)), contact=text("contact", self.contact))
        if self.short is not None and self.short not in SHORT_POLICIES:
            raise InvalidInput("short", self.short, "one of " + ", ".join(SHORT_POLICIES))
        if self.id is not None:
            allowed = _ID if self.theirs else _OWN_ID  # it may be that of a child
            if not isinstance(self.id, str) or not allowed.match(self.id):
                raise InvalidInput("id", self.id, "1 to 64 letters, digits, '.', '_' or '-'")
            if self.id.isdigit() and not self.theirs:
                raise InvalidInput("id", self.id, "an id of your own, which must not be all digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCommand(Command):
    """A command to one order. `if_version`: refuse unless the order is at that version."""

    order: str
    if_version: int | None = None

    def _check(self) -> None:
        if not isinstance(self.order, str) or not _ID.match(self.order):
            raise InvalidInput("order", self.order, "an order id", hint="orderstate list")
        if self.if_version is not None:
            quantity("if-version", self.if_version)


def strategy_name(value: object) -> None:
    """Refuse what is no name of a strategy. Raises InvalidInput."""
    if value is not None and not isinstance(value, str):
        raise InvalidInput("strategy", value, "a name, or package.module:function", hint="orderstate strategies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire(OrderCommand):
    """Fire a trigger. `options`, `strategy` (None: the setting's) and `force` matter where it ties.

    force: the order may wait for stock even where the options, and not the stock, leave it short. timer: only if this
    is what the order's state says is due now.
    """

    name = "fire"
    trigger: str
    reason: str | None = None
    options: Options = NO_OPTIONS
    strategy: str | None = None
    force: bool = False
    timer: bool = False

    def _check(self) -> None:
        OrderCommand._check(self)
        self._set(reason=text("reason", self.reason))
        strategy_name(self.strategy)
        if not isinstance(self.trigger, str) or not self.trigger:
            raise InvalidInput("trigger", self.trigger, "a trigger of the flow", hint="orderstate diagram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retie(OrderCommand):
    """Plan a tied order again. `force`: it may end backordered. `if_saves`: only where that makes it cheaper."""

    name = "retie"
    options: Options = NO_OPTIONS
    strategy: str | None = None
    force: bool = False
    if_saves: bool = False

    def _check(self) -> None:
        OrderCommand._check(self)
        strategy_name(self.strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance(OrderCommand):
    """Fire the one main-path trigger that leaves the order's state."""

    name = "advance"
    options: Options = NO_OPTIONS
    strategy: str | None = None

    def _check(self) -> None:
        OrderCommand._check(self)
        strategy_name(self.strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(OrderCommand):
    """Cancel the order, or `lines` of it (SKU to units, or pairs)."""

    name = "cancel"
    lines: Any = None
    reason: str | None = None

    def _check(self) -> None:
        OrderCommand._check(self)
        self._set(lines=None if self.lines is None else line_items(self.lines), reason=text("reason", self.reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(OrderCommand):
    """Send the order elsewhere."""

    name = "redirect"
    to: str

    def _check(self) -> None:
        OrderCommand._check(self)
        self._set(to=str(destination(self.to)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(OrderCommand):
    """Let what is tied at one facility move by itself, as a child order."""

    name = "split"
    facility: str

    def _check(self) -> None:
        OrderCommand._check(self)
        facility_code(self.facility)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive(Command):
    """Goods came in: `items` of (SKU, units) or (SKU, units, pool)."""

    name = "receive"
    facility: str
    items: Any

    def _check(self) -> None:
        facility_code(self.facility)
        units: dict[tuple[str, str], int] = {}
        for sku, asked, *pool in self.items:
            row = (sku_code(sku), pool_name(pool[0] if pool else PRIMARY))
            units[row] = quantity("quantity", units.get(row, 0) + quantity("quantity", asked))
        if not units:
            raise InvalidInput("items", [], "at least one SKU with its quantity")
        self._set(items=tuple((sku, n, pool) for (sku, pool), n in sorted(units.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(Command):
    """Correct one counter: on hand `by` so many or `to` so many; and/or the `safety` stock. `untie`: newest first."""

    name = "adjust"
    facility: str
    sku: str
    pool: str = PRIMARY
    by_units: Any = None
    to_units: Any = None
    safety: Any = None
    untie: bool = False
    reason: str | None = None

    def _check(self) -> None:
        facility_code(self.facility)
        sku_code(self.sku)
        pool_name(self.pool)
        if self.by_units is not None and self.to_units is not None:
            raise InvalidInput("by_units", self.by_units, "to be given together with to_units: name one of them")
        if self.by_units is None and self.to_units is None and self.safety is None:
            expected = "by_units, to_units or safety (on the command line --by, --to or --safety)"
            raise InvalidInput("by_units", None, expected)
        if self.by_units is not None:
            given = str(self.by_units).strip()
            if isinstance(self.by_units, bool) or not _SIGNED.match(given):
                raise InvalidInput("by", self.by_units, f"a whole number from -{MAX_QUANTITY} to {MAX_QUANTITY}, not 0")
            size = quantity("by", given.lstrip("+-"))
            self._set(by_units=-size if given.startswith("-") else size)
        if self.to_units is not None:
            self._set(to_units=quantity("to", self.to_units, least=0))
        if not isinstance(self.untie, bool):
            raise InvalidInput("untie", self.untie, "true or false")
        if self.safety is not None:
            self._set(safety=quantity("safety", self.safety, least=0))
        self._set(reason=text("reason", self.reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Command):
    """A stock count of one facility: `items` of (SKU, pool, on hand, safety or None, grams or None). Safe to repeat."""

    name = "count"
    facility: str
    items: Any

    def _check(self) -> None:
        facility_code(self.facility)
        seen: dict[tuple[str, str], tuple[str, str, int, int | None, int | None]] = {}
        for sku, pool, on_hand, safety, grams in self.items:
            row = (sku_code(sku), pool_name(pool))
            if row in seen:
                raise InvalidInput("sku", sku, f"named once per pool in {self.facility}")
            seen[row] = (
                *row,
                quantity("on_hand", on_hand, least=0),
                None if safety is None else quantity("safety", safety, least=0),
                None if grams is None else quantity("grams", grams, least=0),
            )
        if not seen:
            raise InvalidInput("items", [], "at least one SKU")
        self._set(items=tuple(seen[row] for row in sorted(seen)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacility(Command):
    """Add a facility (`new`) or change one: only the named fields of `values` change, None clears what may be empty."""

    name = "facility"
    facility: str
    values: Mapping[str, Any]
    new: bool = False

    def _check(self) -> None:
        facility_code(self.facility)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure(Command):
    """Set a setting; `value` None returns it to its default."""

    name = "config"
    setting: str
    value: str | None

    def _check(self) -> None:
        if not isinstance(self.setting, str):
            raise InvalidInput("setting", self.setting, "the name of a setting", hint="orderstate config list")
        if self.value is not None and not isinstance(self.value, str):
            raise InvalidInput("value", self.value, "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFlow(Command):
    """Put a flow in force: a model.Flow, a document, or `standard`; `mapping`: where orders of old states go.

    `reopen`: the mapping may take orders that have ended to states in which they go on.
    """

    name = "use_flow"
    flow: Any
    mapping: Mapping[str, str] = field(default_factory=dict)
    reopen: bool = False

    def _check(self) -> None:
        from orderstate.flow import document, from_document  # no other command needs to read flows

        given = {"extends": "standard", "name": "standard"} if self.flow == "standard" else self.flow
        whole = given if isinstance(given, Flow) else from_document(given)
        pairs = self.mapping
        if not isinstance(pairs, Mapping) or not all(isinstance(n, str) for pair in pairs.items() for n in pair):
            raise InvalidInput("map", pairs, 'old states with their new ones, such as {"pending": "received"}')
        if not isinstance(self.reopen, bool):
            raise InvalidInput("reopen", self.reopen, "true or false")
        self._set(flow=document(whole), mapping=dict(pairs))
