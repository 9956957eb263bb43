"""The everyday statements, built from the tables.

`python -m orderstate.store.statements` writes them, compiled for both dialects, into compiled.py, which is what runs:
so that an everyday command needs no SQLAlchemy. A test compiles them again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Executable,
    Text,
    and_,
    asc,
    cast,
    delete,
    desc,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from orderstate.store.building import every, p, upsert
from orderstate.store.delivery_statements import deliveries
from orderstate.store.tables import metadata

_TABLES = metadata.tables
_ORDERS, _LINE, _SKU, _STOCK = (_TABLES[n] for n in ("orders", "order_line", "sku", "stock"))
_ALLOCATION, _SHIPMENT, _MOVEMENT, _EVENT = (_TABLES[n] for n in ("allocation", "shipment", "movement", "event"))
_FACILITY, _REFUSAL, _IDEMPOTENCY = (_TABLES[n] for n in ("facility", "refusal", "idempotency"))
_SETTING, _COUNTER = (_TABLES[n] for n in ("setting", "counter"))


def _orders() -> dict[str, Executable]:
    o, line = _ORDERS.c, _LINE.c
    columns = (
        o.serial,
        o.id,
        o.state,
        o.version,
        o.placed_at,
        o.entered_at,
        o.destination,
        o.short,
        o.contact,
        o.parent,
    )
    read = select(*columns).where(o.id == p("id"))
    units = select(func.coalesce(func.sum(line.quantity - line.cancelled), literal_column("0"))).where(
        line.serial == o.serial
    )
    summary = select(
        o.serial, o.id, o.state, o.version, o.placed_at, o.entered_at, o.destination, o.parent, units.scalar_subquery()
    )
    sku, facility, state = (cast(p(n), Text) for n in ("sku", "facility", "state"))
    has_sku = exists().where(line.serial == o.serial, line.sku == sku)
    from_facility = exists().where(_ALLOCATION.c.serial == o.serial, _ALLOCATION.c.facility == facility)
    of_sku, of_facility = or_(sku.is_(None), has_sku), or_(facility.is_(None), from_facility)
    in_state = or_(state.is_(None), o.state == state)
    key = tuple_(o.placed_at, o.id)
    page = tuple_(p("placed_at"), p("id"))
    wanted, held, other = _LINE.alias("wanted"), _ALLOCATION.alias("held"), _ALLOCATION.alias("other")
    held_before = exists().where(
        other.c.serial == held.c.serial,
        other.c.facility == held.c.facility,
        tuple_(other.c.sku, other.c.pool) < tuple_(held.c.sku, held.c.pool),
    )
    return {
        "order_read": read,
        "order_lock": read.with_for_update(),
        "order_at": select(o.placed_at, o.id, o.serial, o.entered_at).where(o.id == p("id")),
        "order_insert": insert(_ORDERS).values(every(_ORDERS, "serial")).returning(o.serial),
        "order_move": update(_ORDERS)
        .where(o.serial == p("k_serial"), o.version == p("k_version"))
        .values(state=p("state"), version=p("version"), entered_at=p("entered_at")),
        "order_redirect": update(_ORDERS).where(o.serial == p("k_serial")).values(destination=p("destination")),
        "children_read": select(o.id, o.state).where(o.parent == p("parent")).order_by(o.serial),
        "order_ids_like": select(o.id)
        .where(o.id >= p("low"), o.id < p("high"))
        .order_by(o.id)
        .limit(p("n"))
        .offset(literal_column("0")),
        "lines_read": select(line.sku, line.quantity, line.cancelled, _SKU.c.grams)
        .join(_SKU, _SKU.c.code == line.sku)
        .where(line.serial == p("serial"))
        .order_by(line.sku),
        "line_insert": insert(_LINE).values(every(_LINE)),
        "line_update": update(_LINE)
        .where(line.serial == p("k_serial"), line.sku == p("k_sku"))
        .values(quantity=p("quantity"), cancelled=p("cancelled")),
        "line_delete": delete(_LINE).where(line.serial == p("serial"), line.sku == p("sku")),
        "list_all": summary.where(key < page, in_state, of_sku, of_facility)
        .order_by(desc(o.placed_at), desc(o.id))
        .limit(p("n"))
        .offset(literal_column("0")),
        "list_state": summary.where(o.state == p("in_state"), key < page, of_sku, of_facility)
        .order_by(desc(o.placed_at), desc(o.id))
        .limit(p("n"))
        .offset(literal_column("0")),
        "list_oldest": summary.where(o.state == p("in_state"), key > page, of_sku, of_facility)
        .order_by(asc(o.placed_at), asc(o.id))
        .limit(p("n"))
        .offset(literal_column("0")),
        "list_due": select(o.serial, o.id, o.version, o.entered_at)
        .where(o.state == p("state"), o.entered_at <= p("entered_before"))
        .where(tuple_(o.entered_at, o.id) > tuple_(p("entered_at"), p("id")))
        .order_by(asc(o.entered_at), asc(o.id))
        .limit(p("n"))
        .offset(literal_column("0")),
        "list_entered": summary.where(o.state == p("in_state"), o.entered_at <= p("entered_before"))
        .where(tuple_(o.entered_at, o.id) > tuple_(p("entered_at"), p("id")), of_sku, of_facility)
        .order_by(asc(o.entered_at), asc(o.id))
        .limit(p("n"))
        .offset(literal_column("0")),
        # Driven by the index, so that a page costs what it shows: IN (SELECT ...) would collect every order first.
        "list_sku": summary.join(wanted, wanted.c.serial == o.serial)
        .where(wanted.c.sku == p("sku"), wanted.c.serial < p("serial"), in_state, of_facility)
        .order_by(desc(wanted.c.serial))
        .limit(p("n"))
        .offset(literal_column("0")),
        "list_facility": summary.join(held, held.c.serial == o.serial)
        .where(held.c.facility == p("facility"), held.c.serial < p("serial"), ~held_before)
        .where(in_state, of_sku)
        .order_by(desc(held.c.serial))
        .limit(p("n"))
        .offset(literal_column("0")),
        "waiting_for": select(o.id, o.placed_at, line.quantity - line.cancelled)
        .join(_LINE, and_(line.serial == o.serial, line.sku == p("sku")))
        .where(o.state == p("state"), line.quantity > line.cancelled)
        .order_by(asc(o.placed_at), asc(o.id))
        .limit(p("n"))
        .offset(literal_column("0")),
    }


def _ties() -> dict[str, Executable]:
    a, s, o = _ALLOCATION.c, _SHIPMENT.c, _ORDERS.c
    return {
        "allocations_read": select(a.facility, a.sku, a.pool, a.units)
        .where(a.serial == p("serial"))
        .order_by(a.facility, a.sku, a.pool),
        "allocation_insert": insert(_ALLOCATION).values(every(_ALLOCATION)),
        "allocations_delete": delete(_ALLOCATION).where(a.serial == p("serial")),
        "allocation_delete": delete(_ALLOCATION).where(
            a.serial == p("serial"), a.facility == p("facility"), a.sku == p("sku"), a.pool == p("pool")
        ),
        "allocation_update": update(_ALLOCATION)
        .where(a.serial == p("k_serial"), a.facility == p("k_facility"), a.sku == p("k_sku"), a.pool == p("k_pool"))
        .values(units=p("units")),
        "shipment_insert": insert(_SHIPMENT).values(every(_SHIPMENT)),
        "shipments_read": select(s.facility, s.shipped_at, s.units).where(s.serial == p("serial")).order_by(s.facility),
        "holders": select(o.id, o.state, a.units)
        .join(_ORDERS, o.serial == a.serial)
        .where(a.facility == p("facility"), a.sku == p("sku"), a.pool == p("pool"), o.state == p("state"))
        .order_by(desc(o.placed_at), desc(o.id)),
    }


def _stock(dialect: str) -> dict[str, Executable]:
    k, line = _STOCK.c, _LINE.c
    row = and_(k.sku == p("k_sku"), k.facility == p("k_facility"), k.pool == p("k_pool"))
    free = k.on_hand - k.allocated - k.safety
    listed = select(k.facility, k.sku, k.pool, k.on_hand, k.allocated, k.safety)
    add = upsert(dialect, _STOCK).values(
        {**every(_STOCK, "allocated", "safety"), "allocated": literal_column("0"), "safety": literal_column("0")}
    )
    known = upsert(dialect, _SKU).values(every(_SKU)).on_conflict_do_nothing(index_elements=["code"])
    return {
        "stock_for_order": select(k.facility, k.sku, k.pool, free)
        .join(_LINE, line.sku == k.sku)
        .where(line.serial == p("serial"), line.quantity > line.cancelled, free > literal_column("0"))
        .order_by(k.facility, k.sku, k.pool),
        "stock_take": update(_STOCK).where(row, free >= p("k_least")).values(allocated=k.allocated + p("units")),
        "stock_release": update(_STOCK)
        .where(row, k.allocated >= p("k_least"))
        .values(allocated=k.allocated - p("units")),
        "stock_ship": update(_STOCK)
        .where(row, k.allocated >= p("k_least"))
        .values(on_hand=k.on_hand - p("left"), allocated=k.allocated - p("units")),
        "stock_receive": add.on_conflict_do_update(
            index_elements=["sku", "facility", "pool"], set_={"on_hand": k.on_hand + add.excluded.on_hand}
        ),
        "stock_count": update(_STOCK).where(row, k.allocated <= p("k_on_hand")).values(on_hand=p("on_hand")),
        "stock_safety": update(_STOCK).where(row).values(safety=p("safety")),
        "stock_row": select(k.on_hand, k.allocated, k.safety).where(
            k.sku == p("sku"), k.facility == p("facility"), k.pool == p("pool")
        ),
        "stock_all": listed.where(tuple_(k.sku, k.facility, k.pool) > tuple_(p("sku"), p("facility"), p("pool")))
        .order_by(k.sku, k.facility, k.pool)
        .limit(p("n"))
        .offset(literal_column("0")),
        "stock_of_sku": listed.where(k.sku == p("sku")).order_by(k.facility, k.pool),
        "stock_of_facility": listed.where(
            k.facility == p("facility"), tuple_(k.sku, k.pool) > tuple_(p("sku"), p("pool"))
        )
        .order_by(k.sku, k.pool)
        .limit(p("n"))
        .offset(literal_column("0")),
        "sku_known": known,
        "sku_read": select(_SKU.c.grams).where(_SKU.c.code == p("code")),
        "sku_weigh": update(_SKU).where(_SKU.c.code == p("k_code")).values(grams=p("grams")),
        "sku_codes": select(_SKU.c.code)
        .where(_SKU.c.code >= p("low"), _SKU.c.code < p("high"))
        .order_by(_SKU.c.code)
        .limit(p("n"))
        .offset(literal_column("0")),
        "movement_insert": insert(_MOVEMENT).values(every(_MOVEMENT, "id")),
    }


def _events(dialect: str) -> dict[str, Executable]:
    e, r, i = _EVENT.c, _REFUSAL.c, _IDEMPOTENCY.c
    refused = upsert(dialect, _REFUSAL).values({**every(_REFUSAL, "count"), "count": literal_column("1")})
    return {
        "event_insert": insert(_EVENT).values(every(_EVENT, "id")).returning(e.id),
        **deliveries(dialect),
        "events_read": select(e.subject, e.number, e.type, e.at, e.role, e.by, e.trigger, e.source, e.target, e.payload)
        .where(e.subject == p("subject"), e.number <= p("number"))
        .order_by(e.number),
        "payloads_back": select(e.payload).where(e.subject == p("subject")).order_by(desc(e.number)),
        "refusal_count": refused.on_conflict_do_update(
            index_elements=["serial", "trigger", "codes"],
            set_={"last_at": refused.excluded.last_at, "count": r.count + literal_column("1")},
        ),
        "refusals_read": select(r.trigger, r.codes, r.first_at, r.last_at, r.count)
        .where(r.serial == p("serial"))
        .order_by(r.last_at, r.trigger, r.codes),
        "key_read": select(i.fingerprint, i.answer).where(i.key == p("key")),
        "key_insert": insert(_IDEMPOTENCY).values(every(_IDEMPOTENCY)),
    }


def _network(dialect: str) -> dict[str, Executable]:
    f, c, s = _FACILITY.c, _COUNTER.c, _SETTING.c
    columns = (
        f.code, f.country, f.latitude, f.longitude, f.name, f.gateway, f.priority, f.closed, f.costs, f.version,
    )  # fmt: skip
    setting = upsert(dialect, _SETTING).values(every(_SETTING))
    return {
        "facilities_read": select(*columns).order_by(f.code),
        "facility_read": select(*columns).where(f.code == p("code")),
        "facility_insert": insert(_FACILITY).values(every(_FACILITY)),
        "facility_update": update(_FACILITY)
        .where(f.code == p("k_code"))
        .values({c.name: p(c.name) for c in _FACILITY.columns if c.name not in ("code", "version")}),
        "facility_number": update(_FACILITY)
        .where(f.code == p("k_code"))
        .values(version=f.version + literal_column("1"))
        .returning(f.version),
        "settings_read": select(s.key, s.value).order_by(s.key),
        "setting_read": select(s.value).where(s.key == p("key")),
        "setting_set": setting.on_conflict_do_update(index_elements=["key"], set_={"value": setting.excluded.value}),
        "setting_delete": delete(_SETTING).where(s.key == p("key")),
        "counter_next": update(_COUNTER)
        .where(c.name == p("k_name"))
        .values(value=c.value + literal_column("1"))
        .returning(c.value),
        "counter_raise": update(_COUNTER).where(c.name == p("k_name"), c.value < p("value")).values(value=p("value")),
        "counter_read": select(c.value).where(c.name == p("name")),
    }


def _doctor() -> dict[str, Executable]:
    k, m, a, o, e = _STOCK.c, _MOVEMENT.c, _ALLOCATION.c, _ORDERS.c, _EVENT.c
    ledger = (
        select(
            m.sku, m.facility, m.pool, func.sum(m.on_hand).label("on_hand"), func.sum(m.allocated).label("allocated")
        )
        .group_by(m.sku, m.facility, m.pool)
        .subquery()
    )
    same = and_(ledger.c.sku == k.sku, ledger.c.facility == k.facility, ledger.c.pool == k.pool)
    zero: Any = literal_column("0")
    booked_on_hand, booked_allocated = (func.coalesce(x, zero) for x in (ledger.c.on_hand, ledger.c.allocated))
    held = (
        select(a.sku, a.facility, a.pool, func.sum(a.units).label("units"))
        .join(_ORDERS, o.serial == a.serial)
        .where(o.state == p("state"))
        .group_by(a.sku, a.facility, a.pool)
        .order_by(a.sku, a.facility, a.pool)
    )
    newest = (
        select(e.subject, func.max(e.number).label("newest"), func.count().label("n")).group_by(e.subject).subquery()
    )
    last = select(e.subject, e.number, e.target).subquery()
    return {
        "check_ledger": select(k.facility, k.sku, k.pool, k.on_hand, k.allocated, booked_on_hand, booked_allocated)
        .outerjoin(ledger, same)
        .where(or_(k.on_hand != booked_on_hand, k.allocated != booked_allocated))
        .order_by(k.facility, k.sku, k.pool),
        "check_oversold": select(k.facility, k.sku, k.pool, k.on_hand, k.allocated)
        .where(or_(k.allocated > k.on_hand, k.allocated < zero))
        .order_by(k.facility, k.sku, k.pool),
        "check_held": held,
        "check_allocated": select(k.sku, k.facility, k.pool, k.allocated)
        .where(k.allocated != zero)
        .order_by(k.sku, k.facility, k.pool),
        "check_numbers": select(o.id, o.version, newest.c.newest, newest.c.n)
        .outerjoin(newest, newest.c.subject == o.id)
        .where(or_(newest.c.newest.is_(None), newest.c.newest != o.version, newest.c.n != newest.c.newest))
        .order_by(o.serial),
        "check_states": select(o.id, o.state, last.c.target)
        .join(last, and_(last.c.subject == o.id, last.c.number == o.version))
        .where(last.c.target != o.state)
        .order_by(o.serial),
        "count_states": select(o.state, func.count(), func.min(o.entered_at)).group_by(o.state).order_by(o.state),
        "count_policies": select(o.short, func.count()).where(o.state == p("state")).group_by(o.short),
        "count_middle": select(o.entered_at)
        .where(o.state == p("state"))
        .order_by(asc(o.entered_at), asc(o.id))
        .limit(literal_column("1"))
        .offset(p("before")),
        "count_all": select(
            *(
                select(func.count()).select_from(_TABLES[n]).scalar_subquery().label(n)
                for n in ("orders", "event", "movement", "stock", "facility", "sku")
            )
        ),
    }


def declare(dialect: str) -> dict[str, Executable]:
    """Every everyday statement by name, for `sqlite` or `postgresql`."""
    return {
        **_orders(),
        **_ties(),
        **_stock(dialect),
        **_events(dialect),
        **_network(dialect),
        **_doctor(),
    }


def _compiled(dialect: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    dialects: Any = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}
    made = dialects[dialect](paramstyle="qmark" if dialect == "sqlite" else "format")
    found = {}
    for name, statement in declare(dialect).items():
        done: Any = statement.compile(dialect=made)  # type: ignore[attr-defined]  # every one is a ClauseElement
        found[name] = (" ".join(str(done).split()), tuple(done.positiontup))
    return found


def render() -> str:
    """The source text of compiled.py; refuses statements whose parameters the dialects want in another order."""
    lite, post = _compiled("sqlite"), _compiled("postgresql")
    out = [
        '"""Made by `python -m orderstate.store.statements` from the tables; do not edit. A test compiles it again."""',
        "",
        "# ruff: noqa: E501 - one statement a line",
        "from __future__ import annotations",
        "",
        "from typing import NamedTuple",
        "",
        "",
        "class Statements(NamedTuple):",
        '    """The everyday statements of one dialect. The comment behind each names its parameters in order.',
        "",
        "    A tuple, as every command imports it: to make a dataclass of so many fields takes three times as long.",
        '    """',
        "",
    ]
    for name, (_, parameters) in lite.items():
        assert parameters == post[name][1], f"{name}: {parameters} on sqlite, {post[name][1]} on postgresql"
        out.append(f"    {name}: str  # {', '.join(q.removeprefix('v_') for q in parameters) or 'none'}")
    for title, statements in (("SQLITE", lite), ("POSTGRESQL", post)):
        out += ["", "", f"{title} = Statements("]
        out += [f"    {name}={_literal(sql)}," for name, (sql, _) in statements.items()]
        out.append(")")
    return "\n".join(out) + "\n"


def _literal(sql: str) -> str:
    return f"'{sql}'" if '"' in sql and "'" not in sql else '"' + sql.replace('"', '\\"') + '"'


def main() -> None:
    """Write compiled.py beside this module."""
    Path(__file__).with_name("compiled.py").write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
