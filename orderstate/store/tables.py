"""The one schema, declared in SQLModel. Statements, migrations and reports are made from these tables.

Every number is a 64-bit integer: units, grams, UTC microseconds, and positions in millionths of a degree. What must
never happen is a check here, so that the database itself refuses it, whoever writes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, Integer, MetaData, Text, text
from sqlmodel import Field, SQLModel

Big = BigInteger().with_variant(Integer(), "sqlite")
"""64-bit integer: STRICT tables of SQLite know it as INTEGER."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_STRICT = {"sqlite_strict": True}
_CLUSTERED = {"sqlite_strict": True, "sqlite_with_rowid": False}


class _Table(SQLModel):
    metadata = metadata


def _text(**more: Any) -> Any:
    return Field(sa_type=Text, **more)


def _big(**more: Any) -> Any:
    return Field(sa_type=Big, **more)


class Facility(_Table, table=True):
    """A physical place that stores and ships. `version` numbers its events."""

    __tablename__ = "facility"
    __table_args__ = (CheckConstraint("closed IN (0, 1)", name="closed_is_a_flag"), _CLUSTERED)
    code: str = _text(primary_key=True)
    country: str = _text()
    latitude: int | None = _big()
    longitude: int | None = _big()
    name: str | None = _text()
    gateway: str | None = _text()
    priority: int = _big()
    closed: int = _big()
    costs: str = _text()
    version: int = _big()


class Sku(_Table, table=True):
    """What can be ordered, and what one unit weighs in grams."""

    __tablename__ = "sku"
    __table_args__ = (CheckConstraint("grams >= 0", name="grams_not_negative"), _CLUSTERED)
    code: str = _text(primary_key=True)
    grams: int = _big()


class StockRow(_Table, table=True):
    """Units of one SKU in one pool of one facility. Changes only together with a movement."""

    __tablename__ = "stock"
    __table_args__ = (
        CheckConstraint("pool IN ('primary', 'back')", name="pool_is_known"),
        CheckConstraint("allocated >= 0 AND allocated <= on_hand", name="allocated_within_on_hand"),
        CheckConstraint("safety >= 0", name="safety_not_negative"),
        ForeignKeyConstraint(["sku"], ["sku.code"]),
        ForeignKeyConstraint(["facility"], ["facility.code"]),
        Index("ix_stock_facility_sku", "facility", "sku"),
        _CLUSTERED,
    )
    sku: str = _text(primary_key=True)
    facility: str = _text(primary_key=True)
    pool: str = _text(primary_key=True)
    on_hand: int = _big()
    allocated: int = _big()
    safety: int = _big()


class OrderRow(_Table, table=True):
    """One order as it stands. `serial` counts arrivals; `version` is the number of its newest event."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("short IN ('backorder', 'split', 'refuse')", name="short_is_known"),
        CheckConstraint("version >= 1", name="version_from_one"),
        ForeignKeyConstraint(["parent"], ["orders.id"]),
        Index("ix_orders_state_placed_at_id", "state", "placed_at", "id"),
        Index("ix_orders_state_entered_at_id", "state", "entered_at", "id"),
        Index("ix_orders_placed_at_id", "placed_at", "id"),
        Index(
            "ix_orders_parent",
            "parent",
            sqlite_where=text("parent IS NOT NULL"),
            postgresql_where=text("parent IS NOT NULL"),
        ),
        _STRICT,
    )
    serial: int | None = _big(primary_key=True, default=None)
    id: str = _text(unique=True)
    state: str = _text()
    version: int = _big()
    placed_at: int = _big()
    entered_at: int = _big()
    destination: str = _text()
    short: str = _text()
    contact: str | None = _text()
    parent: str | None = _text()


class OrderLine(_Table, table=True):
    """So many units of one SKU in one order."""

    __tablename__ = "order_line"
    __table_args__ = (
        CheckConstraint("quantity >= 1", name="quantity_positive"),
        CheckConstraint("cancelled >= 0 AND cancelled <= quantity", name="cancelled_within_quantity"),
        ForeignKeyConstraint(["serial"], ["orders.serial"]),
        ForeignKeyConstraint(["sku"], ["sku.code"]),
        Index("ix_order_line_sku_serial", "sku", "serial"),
        _CLUSTERED,
    )
    serial: int = _big(primary_key=True)
    sku: str = _text(primary_key=True)
    quantity: int = _big()
    cancelled: int = _big()


class AllocationRow(_Table, table=True):
    """Units of one line tied in, or shipped from, one pool of one facility."""

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("units >= 1", name="units_positive"),
        ForeignKeyConstraint(["serial", "sku"], ["order_line.serial", "order_line.sku"]),
        Index("ix_allocation_facility_serial", "facility", "serial"),
        _CLUSTERED,
    )
    serial: int = _big(primary_key=True)
    facility: str = _text(primary_key=True)
    sku: str = _text(primary_key=True)
    pool: str = _text(primary_key=True)
    units: int = _big()


class ShipmentRow(_Table, table=True):
    """Everything that one facility sent for one order."""

    __tablename__ = "shipment"
    __table_args__ = (
        ForeignKeyConstraint(["serial"], ["orders.serial"]),
        ForeignKeyConstraint(["facility"], ["facility.code"]),
        _CLUSTERED,
    )
    serial: int = _big(primary_key=True)
    facility: str = _text(primary_key=True)
    shipped_at: int = _big()
    units: int = _big()


class MovementRow(_Table, table=True):
    """The stock ledger: signed changes, never updated. (subject, number) is the event that made them."""

    __tablename__ = "movement"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'received' AND on_hand > 0 AND allocated = 0)"
            " OR (kind = 'adjusted' AND on_hand <> 0 AND allocated = 0)"
            " OR (kind = 'allocated' AND on_hand = 0 AND allocated > 0)"
            " OR (kind = 'released' AND on_hand = 0 AND allocated < 0)"
            " OR (kind = 'shipped' AND on_hand < 0 AND allocated = on_hand)",
            name="kind_fits_signs",
        ),
        ForeignKeyConstraint(["sku", "facility", "pool"], ["stock.sku", "stock.facility", "stock.pool"]),
        _STRICT,
    )
    id: int | None = _big(primary_key=True, default=None)
    subject: str = _text()
    number: int = _big()
    facility: str = _text()
    sku: str = _text()
    pool: str = _text()
    kind: str = _text()
    on_hand: int = _big()
    allocated: int = _big()
    at: int = _big()


class EventRow(_Table, table=True):
    """What happened: insert only. `subject` is an order id, or `facility/CODE`."""

    __tablename__ = "event"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number_from_one"),
        Index("uq_event_subject_number", "subject", "number", unique=True),
        _STRICT,
    )
    id: int | None = _big(primary_key=True, default=None)
    subject: str = _text()
    number: int = _big()
    type: str = _text()
    at: int = _big()
    role: str = _text()
    by: str | None = _text()
    trigger: str | None = _text()
    source: str | None = _text()
    target: str | None = _text()
    payload: str = _text()


class SubscriberRow(_Table, table=True):
    """Who hears of events. `types`: the event types that it wants, with blanks between them; empty: every one.

    kind: local (works inside the delivery's transaction), outside (is called with no transaction open) or relay (a
    broker). `target`: the name of an entry point, a dotted path, or what names the broker.
    """

    __tablename__ = "subscriber"
    __table_args__ = (
        CheckConstraint("kind IN ('local', 'outside', 'relay')", name="kind_is_known"),
        CheckConstraint("enabled IN (0, 1)", name="enabled_is_a_flag"),
        _CLUSTERED,
    )
    name: str = _text(primary_key=True)
    kind: str = _text()
    target: str = _text()
    types: str = _text()
    enabled: int = _big()


class DeliveryRow(_Table, table=True):
    """One event's way to one subscriber, inserted with the event.

    `due`: when it may be tried next; a worker that is calling an outside subscriber puts it off and leaves its mark in
    `claim`. `delivered` and `parked` say when; both None: still on its way.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        CheckConstraint("delivered IS NULL OR parked IS NULL", name="delivered_or_parked"),
        ForeignKeyConstraint(["subscriber"], ["subscriber.name"]),
        ForeignKeyConstraint(["event"], ["event.id"]),
        Index(
            "ix_delivery_due",
            "subscriber",
            "due",
            "event",
            sqlite_where=text("delivered IS NULL AND parked IS NULL"),
            postgresql_where=text("delivered IS NULL AND parked IS NULL"),
        ),
        Index(
            "ix_delivery_subject",
            "subscriber",
            "subject",
            "event",
            "delivered",  # always null here; but SQLite takes the index only where it need not look at the row
            sqlite_where=text("delivered IS NULL"),
            postgresql_where=text("delivered IS NULL"),
        ),
        Index(
            "ix_delivery_parked",
            "parked",
            sqlite_where=text("parked IS NOT NULL"),
            postgresql_where=text("parked IS NOT NULL"),
        ),
        _CLUSTERED,
    )
    subscriber: str = _text(primary_key=True)
    event: int = _big(primary_key=True)
    subject: str = _text()
    due: int = _big()
    attempts: int = _big()
    claim: str | None = _text()
    error: str | None = _text()
    delivered: int | None = _big()
    parked: int | None = _big()


class InboxRow(_Table, table=True):
    """One message of another system: it has its effect once, whatever the broker repeats.

    `body` and `error` are kept of one that is parked; `done` says when it was applied.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        CheckConstraint("done IS NULL OR parked IS NULL", name="done_or_parked"),
        Index(
            "ix_inbox_parked",
            "parked",
            sqlite_where=text("parked IS NOT NULL"),
            postgresql_where=text("parked IS NOT NULL"),
        ),
        _CLUSTERED,
    )
    source: str = _text(primary_key=True)
    id: str = _text(primary_key=True)
    at: int = _big()
    type: str | None = _text()
    body: str | None = _text()
    error: str | None = _text()
    done: int | None = _big()
    parked: int | None = _big()


class RefusalRow(_Table, table=True):
    """How often a trigger was refused to an order for the same reasons."""

    __tablename__ = "refusal"
    __table_args__ = (ForeignKeyConstraint(["serial"], ["orders.serial"]), _CLUSTERED)
    serial: int = _big(primary_key=True)
    trigger: str = _text(primary_key=True)
    codes: str = _text(primary_key=True)
    first_at: int = _big()
    last_at: int = _big()
    count: int = _big()


class Idempotency(_Table, table=True):
    """The first answer to each key."""

    __tablename__ = "idempotency"
    __table_args__ = (_CLUSTERED,)
    key: str = _text(primary_key=True)
    fingerprint: str = _text()
    answer: str = _text()
    at: int = _big()


class SettingRow(_Table, table=True):
    """A setting that differs from its default; and the database's own random id."""

    __tablename__ = "setting"
    __table_args__ = (_CLUSTERED,)
    key: str = _text(primary_key=True)
    value: str = _text()


class Counter(_Table, table=True):
    """Numbers that only grow: `order` (generated ids), `network` (raised when what engines cache changes).

    That is: facilities, settings, the flow in force, subscribers.
    """

    __tablename__ = "counter"
    __table_args__ = (_CLUSTERED,)
    name: str = _text(primary_key=True)
    value: int = _big()
