"""The first schema."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KIND_FITS_SIGNS = (
    "(kind = 'received' AND on_hand > 0 AND allocated = 0)"
    " OR (kind = 'adjusted' AND on_hand <> 0 AND allocated = 0)"
    " OR (kind = 'allocated' AND on_hand = 0 AND allocated > 0)"
    " OR (kind = 'released' AND on_hand = 0 AND allocated < 0)"
    " OR (kind = 'shipped' AND on_hand < 0 AND allocated = on_hand)"
)
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Every table, the two counters, and the random id of this database."""
    _network()
    _orders()
    _records()
    counter = sa.table("counter", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counter, [{"name": "order", "value": 1000}, {"name": "network", "value": 1}])
    setting = sa.table("setting", sa.column("key", sa.Text), sa.column("value", sa.Text))
    op.bulk_insert(setting, [{"key": "database.id", "value": secrets.token_hex(16)}])


def _network() -> None:
    op.create_table(
        "facility",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("latitude", _BIG, nullable=True),
        sa.Column("longitude", _BIG, nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("gateway", sa.Text(), nullable=True),
        sa.Column("priority", _BIG, nullable=False),
        sa.Column("closed", _BIG, nullable=False),
        sa.Column("costs", sa.Text(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.CheckConstraint("closed IN (0, 1)", name=op.f("ck_facility_closed_is_a_flag")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_facility")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sku",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("grams", _BIG, nullable=False),
        sa.CheckConstraint("grams >= 0", name=op.f("ck_sku_grams_not_negative")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_sku")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stock",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("on_hand", _BIG, nullable=False),
        sa.Column("allocated", _BIG, nullable=False),
        sa.Column("safety", _BIG, nullable=False),
        sa.CheckConstraint("pool IN ('primary', 'back')", name=op.f("ck_stock_pool_is_known")),
        sa.CheckConstraint("allocated >= 0 AND allocated <= on_hand", name=op.f("ck_stock_allocated_within_on_hand")),
        sa.CheckConstraint("safety >= 0", name=op.f("ck_stock_safety_not_negative")),
        sa.ForeignKeyConstraint(["facility"], ["facility.code"], name=op.f("fk_stock_facility")),
        sa.ForeignKeyConstraint(["sku"], ["sku.code"], name=op.f("fk_stock_sku")),
        sa.PrimaryKeyConstraint("sku", "facility", "pool", name=op.f("pk_stock")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_stock_facility_sku", "stock", ["facility", "sku"], unique=False)
    op.create_table(
        "setting",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("serial", _BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("placed_at", _BIG, nullable=False),
        sa.Column("entered_at", _BIG, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("short", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.CheckConstraint("short IN ('backorder', 'split', 'refuse')", name=op.f("ck_orders_short_is_known")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_orders_version_from_one")),
        sa.ForeignKeyConstraint(["parent"], ["orders.id"], name=op.f("fk_orders_parent")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_orders")),
        sa.UniqueConstraint("id", name=op.f("uq_orders_id")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_orders_parent",
        "orders",
        ["parent"],
        unique=False,
        sqlite_where=sa.text("parent IS NOT NULL"),
        postgresql_where=sa.text("parent IS NOT NULL"),
    )
    op.create_index("ix_orders_placed_at_id", "orders", ["placed_at", "id"], unique=False)
    op.create_index("ix_orders_state_entered_at_id", "orders", ["state", "entered_at", "id"], unique=False)
    op.create_index("ix_orders_state_placed_at_id", "orders", ["state", "placed_at", "id"], unique=False)
    op.create_table(
        "order_line",
        sa.Column("serial", _BIG, nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", _BIG, nullable=False),
        sa.Column("cancelled", _BIG, nullable=False),
        sa.CheckConstraint(
            "cancelled >= 0 AND cancelled <= quantity", name=op.f("ck_order_line_cancelled_within_quantity")
        ),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_order_line_quantity_positive")),
        sa.ForeignKeyConstraint(["serial"], ["orders.serial"], name=op.f("fk_order_line_serial")),
        sa.ForeignKeyConstraint(["sku"], ["sku.code"], name=op.f("fk_order_line_sku")),
        sa.PrimaryKeyConstraint("serial", "sku", name=op.f("pk_order_line")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_order_line_sku_serial", "order_line", ["sku", "serial"], unique=False)
    op.create_table(
        "allocation",
        sa.Column("serial", _BIG, nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("units", _BIG, nullable=False),
        sa.CheckConstraint("units >= 1", name=op.f("ck_allocation_units_positive")),
        sa.ForeignKeyConstraint(
            ["serial", "sku"], ["order_line.serial", "order_line.sku"], name=op.f("fk_allocation_serial_sku")
        ),
        sa.PrimaryKeyConstraint("serial", "facility", "sku", "pool", name=op.f("pk_allocation")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_allocation_facility_serial", "allocation", ["facility", "serial"], unique=False)
    op.create_table(
        "shipment",
        sa.Column("serial", _BIG, nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("shipped_at", _BIG, nullable=False),
        sa.Column("units", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["facility"], ["facility.code"], name=op.f("fk_shipment_facility")),
        sa.ForeignKeyConstraint(["serial"], ["orders.serial"], name=op.f("fk_shipment_serial")),
        sa.PrimaryKeyConstraint("serial", "facility", name=op.f("pk_shipment")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _records() -> None:
    op.create_table(
        "movement",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("number", _BIG, nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("on_hand", _BIG, nullable=False),
        sa.Column("allocated", _BIG, nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.CheckConstraint(
            _KIND_FITS_SIGNS,
            name=op.f("ck_movement_kind_fits_signs"),
        ),
        sa.ForeignKeyConstraint(
            ["sku", "facility", "pool"],
            ["stock.sku", "stock.facility", "stock.pool"],
            name=op.f("fk_movement_sku_facility_pool"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement")),
        sqlite_strict=True,
    )
    op.create_table(
        "event",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("number", _BIG, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_event_number_from_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sqlite_strict=True,
    )
    op.create_index("uq_event_subject_number", "event", ["subject", "number"], unique=True)
    op.create_table(
        "refusal",
        sa.Column("serial", _BIG, nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("codes", sa.Text(), nullable=False),
        sa.Column("first_at", _BIG, nullable=False),
        sa.Column("last_at", _BIG, nullable=False),
        sa.Column("count", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["serial"], ["orders.serial"], name=op.f("fk_refusal_serial")),
        sa.PrimaryKeyConstraint("serial", "trigger", "codes", name=op.f("pk_refusal")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
