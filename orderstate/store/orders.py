"""Orders, lines, allocations and shipments: rows in and out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import islice

from orderstate.errors import Conflict, NotFound, Refused
from orderstate.geo import destination
from orderstate.model import Allocation, Line, Order, OrderSummary, Shipment
from orderstate.store.sqlite import Transaction

FIRST = ""
LAST = "\U0010ffff"
END_OF_TIME = 2**63 - 1


def read(tx: Transaction, order_id: str, *, lock: bool = False) -> Order:
    """The order and its lines, sorted by SKU; `lock` is for whoever will write. Raises NotFound with close matches."""
    sql = tx.sql
    row = tx.execute(sql.order_lock if lock else sql.order_read, (order_id,)).fetchone()
    if row is None:
        raise unknown(tx, order_id)
    serial, _, state, version, placed_at, entered_at, where, short, contact, parent = row
    lines = tuple([Line(*line) for line in tx.execute(sql.lines_read, (serial,)).fetchall()])
    return Order(
        order_id, state, version, placed_at, entered_at, destination(where), short, lines, contact, parent, serial
    )


def unknown(tx: Transaction, order_id: str) -> NotFound:
    """The error for an order id that is not there, with ids that begin alike."""
    stem = order_id[: max(1, len(order_id) - 1)]
    known = [row[0] for row in tx.execute(tx.sql.order_ids_like, (stem, stem + LAST, 50))]
    return NotFound.named("order", order_id, known, hint="orderstate list")


def generated_id(tx: Transaction) -> str:
    """The next id of 1001, 1002 ..."""
    return str(tx.execute(tx.sql.counter_next, ("order",)).fetchone()[0])


def count_past(tx: Transaction, number: int) -> None:
    """Generate no id up to this number: another database gave it to an order that is kept here, too."""
    tx.execute(tx.sql.counter_raise, (number, "order", number))


def insert(tx: Transaction, order: Order) -> int:
    """A new order with its lines; returns its serial. Raises Refused where the id is taken, NotFound for a SKU."""
    sql = tx.sql
    row = (
        order.id, order.state, order.version, order.placed_at, order.entered_at, str(order.destination), order.short,
        order.contact, order.parent,
    )  # fmt: skip
    try:
        serial = int(tx.execute(sql.order_insert, row).fetchone()[0])
    except tx.integrity_error as error:
        raise Refused(
            f"there is an order {order.id} already", code="order_exists", hint=f"orderstate show {order.id}"
        ) from error
    try:
        tx.executemany(sql.line_insert, [(serial, line.sku, line.quantity, line.cancelled) for line in order.lines])
    except tx.integrity_error as error:
        for line in order.lines:
            if tx.execute(sql.sku_read, (line.sku,)).fetchone() is None:
                raise unknown_sku(tx, line.sku) from error
        raise
    return serial


def exists(tx: Transaction, order_id: str) -> bool:
    """True if the id is taken."""
    return tx.execute(tx.sql.order_at, (order_id,)).fetchone() is not None


def unknown_sku(tx: Transaction, sku: str) -> NotFound:
    """The error for a SKU that is not there, with close matches among those that begin alike.

    Only those: a search of every code would keep the writer lock for a second where there are a hundred thousand.
    """
    begins = dict.fromkeys(change(sku[:size]) for size in (2, 1) for change in (str, str.upper, str.lower))
    found = (row[0] for begin in begins for row in tx.execute(tx.sql.sku_codes, (begin, begin + LAST, 300)).fetchall())
    known = list(dict.fromkeys(found))
    some = tx.execute(tx.sql.sku_codes, (FIRST, LAST, 1)).fetchone()
    hint = "orderstate stock list" if some else f"orderstate stock receive FACILITY {sku} QTY"
    return NotFound.named("SKU", sku, known, hint=hint)


def move(tx: Transaction, before: Order, after: Order) -> None:
    """Write what changed, provided that the order is still at the version that was read. Raises Conflict."""
    row = (after.state, after.version, after.entered_at, before.serial, before.version)
    if tx.execute(tx.sql.order_move, row).rowcount != 1:
        raise Conflict(f"{before.id} was changed by another command", hint="try again; nothing was changed")
    if after.destination is not before.destination:
        tx.execute(tx.sql.order_redirect, (str(after.destination), before.serial))


def remap(tx: Transaction, serial: int, version: int, state: str, at: int) -> None:
    """Put an order into a state of another flow, under its next version."""
    tx.execute(tx.sql.order_move, (state, version + 1, at, serial, version))


def entered(
    tx: Transaction,
    state: str,
    *,
    before: int = END_OF_TIME,
    behind: tuple[int, str] = (-1, FIRST),
    limit: int = 1000,
) -> list[tuple[int, str, int, int]]:
    """(serial, id, version, entered at) of the orders in a state, those longest in it first, behind (entered at, id).

    before: only those who entered it then or earlier (UTC us).
    """
    rows: list[tuple[int, str, int, int]] = tx.execute(tx.sql.list_due, (state, before, *behind, limit)).fetchall()
    return rows


def counts(tx: Transaction) -> dict[str, int]:
    """How many orders stand in each state that holds any."""
    return {state: n for state, n, _ in tx.execute(tx.sql.count_states).fetchall()}


def policies(tx: Transaction, state: str) -> dict[str, int]:
    """How many of the orders in a state were placed with each policy for short stock."""
    return dict(tx.execute(tx.sql.count_policies, (state,)).fetchall())


def update_lines(tx: Transaction, order: Order, lines: Iterable[Line]) -> None:
    """Write changed lines; one with nothing left of its quantity goes."""
    for line in lines:
        if line.quantity:
            tx.execute(tx.sql.line_update, (line.quantity, line.cancelled, order.serial, line.sku))
        else:
            tx.execute(tx.sql.line_delete, (order.serial, line.sku))


def allocations(tx: Transaction, serial: int) -> tuple[Allocation, ...]:
    """What is tied to the order, or was shipped for it, sorted."""
    return tuple([Allocation(*row) for row in tx.execute(tx.sql.allocations_read, (serial,)).fetchall()])


def allocate(tx: Transaction, serial: int, tied: Sequence[Allocation]) -> None:
    """Write new allocations."""
    tx.executemany(tx.sql.allocation_insert, [(serial, a.facility, a.sku, a.pool, a.units) for a in tied])


def deallocate(tx: Transaction, serial: int) -> None:
    """Forget every allocation of the order."""
    tx.execute(tx.sql.allocations_delete, (serial,))


def reduce(tx: Transaction, serial: int, held: Sequence[Allocation], released: Sequence[Allocation]) -> None:
    """Take the released units off the held allocations; one with nothing left goes."""
    units = {(a.facility, a.sku, a.pool): a.units for a in held}
    for a in released:
        left = units[a.facility, a.sku, a.pool] - a.units
        if left:
            tx.execute(tx.sql.allocation_update, (left, serial, a.facility, a.sku, a.pool))
        else:
            tx.execute(tx.sql.allocation_delete, (serial, a.facility, a.sku, a.pool))


def ship(tx: Transaction, serial: int, shipments: Iterable[Shipment]) -> None:
    """Write one shipment per facility."""
    tx.executemany(tx.sql.shipment_insert, [(serial, s.facility, s.shipped_at, s.units) for s in shipments])


def shipments(tx: Transaction, order: Order) -> tuple[Shipment, ...]:
    """What has left for the order, by facility code."""
    rows = tx.execute(tx.sql.shipments_read, (order.serial,)).fetchall()
    return tuple(Shipment(order.id, facility, at, units) for facility, at, units in rows)


def children(tx: Transaction, order_id: str) -> list[tuple[str, str]]:
    """(id, state) of each order that was split off this one, oldest first."""
    return list(tx.execute(tx.sql.children_read, (order_id,)).fetchall())


def holders(tx: Transaction, facility: str, sku: str, pool: str, states: Iterable[str]) -> list[tuple[str, int]]:
    """(order id, units) of the orders in `states` that hold units there, newest first."""
    return [
        (order_id, units)
        for state in states
        for order_id, _, units in tx.execute(tx.sql.holders, (facility, sku, pool, state)).fetchall()
    ]


def waiting(tx: Transaction, sku: str, states: Iterable[str], limit: int) -> list[tuple[str, int, int]]:
    """(order id, placed at, units wanted) of the orders in `states` that want the SKU, oldest first."""
    found = [row for state in states for row in tx.execute(tx.sql.waiting_for, (sku, state, limit)).fetchall()]
    return sorted(found, key=lambda row: (row[1], row[0]))[:limit]


def listed(
    tx: Transaction,
    *,
    states: Sequence[str] | None,
    sku: str | None,
    facility: str | None,
    entered_before: int | None,
    oldest_first: bool,
    after: str | None,
    limit: int,
) -> list[OrderSummary]:
    """One page of orders, newest first or oldest first, beginning behind the order `after`.

    With `entered_before` (UTC microseconds; it needs `states`) those longest in their state come first. With a SKU or a
    facility as the only narrow filter, newest means last to arrive. Raises NotFound for `after`.
    """
    sql = tx.sql
    ascending = oldest_first or entered_before is not None
    placed_at, order_id, serial, entered_at = (-1, FIRST, 0, -1) if ascending else (END_OF_TIME, LAST, END_OF_TIME, 0)
    if after is not None:
        row = tx.execute(sql.order_at, (after,)).fetchone()
        if row is None:
            raise unknown(tx, after)
        placed_at, order_id, serial, entered_at = row
    if states is None and not oldest_first:
        if sku is not None:
            rows = tx.execute(sql.list_sku, (sku, serial, None, None, facility, facility, limit))
        elif facility is not None:
            rows = tx.execute(sql.list_facility, (facility, serial, None, None, None, None, limit))
        else:
            rows = tx.execute(sql.list_all, (placed_at, order_id, None, None, None, None, None, None, limit))
        return [_summary(row) for row in rows.fetchall()]
    filters = (sku, sku, facility, facility, limit)
    behind: tuple[object, ...] = (placed_at, order_id)
    statement, place = sql.list_oldest if oldest_first else sql.list_state, 4
    if entered_before is not None:
        statement, place, behind = sql.list_entered, 5, (entered_before, entered_at, order_id)
    pages = [tx.execute(statement, (state, *behind, *filters)).fetchall() for state in states or ()]
    together = merge(*pages, key=lambda row: (row[place], row[1]), reverse=not ascending)
    return [_summary(row) for row in islice(together, limit)]


def _summary(row: Sequence[object]) -> OrderSummary:
    _, order_id, state, version, placed_at, entered_at, where, parent, units = row
    return OrderSummary(order_id, state, version, placed_at, entered_at, where, units, parent)  # type: ignore[arg-type]  # a row of STRICT columns
