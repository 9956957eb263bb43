"""Who hears of events, each event's way to them, and the messages of other systems."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BUILT_IN = (
    ("sourcing", "local", "OrderPlaced", 1),
    ("restock", "outside", "StockReceived", 1),
    ("fulfilment", "local", "InventoryTied", 0),
    (
        "notify",
        "outside",
        "OrderPlaced InventoryTied OrderBackordered OrderReduced OrderRedirected OrderSplit ShippingStarted "
        "OrderDelivered OrderCancelled",
        1,
    ),
)


def upgrade() -> None:
    """Three tables, and the subscribers that every database begins with. What happened before is told to nobody."""
    _deliveries()
    op.create_table(
        "inbox",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("done", _BIG, nullable=True),
        sa.Column("parked", _BIG, nullable=True),
        sa.CheckConstraint("done IS NULL OR parked IS NULL", name=op.f("ck_inbox_done_or_parked")),
        sa.PrimaryKeyConstraint("source", "id", name=op.f("pk_inbox")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    _index("ix_inbox_parked", "inbox", ["parked"], "parked IS NOT NULL")
    subscriber = sa.table(
        "subscriber",
        *(sa.column(name, sa.Text) for name in ("name", "kind", "target", "types")),
        sa.column("enabled", sa.BigInteger),
    )
    op.bulk_insert(
        subscriber,
        [{"name": n, "kind": kind, "target": n, "types": types, "enabled": on} for n, kind, types, on in _BUILT_IN],
    )


def _deliveries() -> None:
    op.create_table(
        "subscriber",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("enabled", _BIG, nullable=False),
        sa.CheckConstraint("kind IN ('local', 'outside', 'relay')", name=op.f("ck_subscriber_kind_is_known")),
        sa.CheckConstraint("enabled IN (0, 1)", name=op.f("ck_subscriber_enabled_is_a_flag")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_subscriber")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("subscriber", sa.Text(), nullable=False),
        sa.Column("event", _BIG, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("due", _BIG, nullable=False),
        sa.Column("attempts", _BIG, nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("delivered", _BIG, nullable=True),
        sa.Column("parked", _BIG, nullable=True),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_delivery_attempts_not_negative")),
        sa.CheckConstraint("delivered IS NULL OR parked IS NULL", name=op.f("ck_delivery_delivered_or_parked")),
        sa.ForeignKeyConstraint(["event"], ["event.id"], name=op.f("fk_delivery_event")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.name"], name=op.f("fk_delivery_subscriber")),
        sa.PrimaryKeyConstraint("subscriber", "event", name=op.f("pk_delivery")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    _index("ix_delivery_due", "delivery", ["subscriber", "due", "event"], "delivered IS NULL AND parked IS NULL")
    _index("ix_delivery_subject", "delivery", ["subscriber", "subject", "event", "delivered"], "delivered IS NULL")
    _index("ix_delivery_parked", "delivery", ["parked"], "parked IS NOT NULL")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
