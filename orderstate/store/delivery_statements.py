"""The statements about events on their way: subscribers, deliveries, and the messages of other systems."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Executable,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    desc,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    update,
)

from orderstate.store.building import every, p, upsert
from orderstate.store.tables import metadata

_SUBSCRIBER, _DELIVERY, _INBOX, _EVENT = (metadata.tables[n] for n in ("subscriber", "delivery", "inbox", "event"))


def deliveries(dialect: str) -> dict[str, Executable]:
    """Statements about subscribers, deliveries, the inbox and the stream of events, by name."""
    d, e, s, x = _DELIVERY.c, _EVENT.c, _SUBSCRIBER.c, _INBOX.c
    one = and_(d.subscriber == p("k_subscriber"), d.event == p("k_event"))
    under_way = and_(d.delivered.is_(None), d.parked.is_(None))
    event = (e.subject, e.number, e.type, e.at, e.role, e.by, e.trigger, e.source, e.target, e.payload)
    older = _DELIVERY.alias("older")
    held_back = exists(
        # Nothing of the row but what the index holds: for more SQLite would walk through all that was ever delivered.
        select(literal_column("1")).where(
            older.c.subscriber == d.subscriber,
            older.c.subject == d.subject,
            older.c.delivered.is_(None),
            older.c.event < d.event,
        )
    )
    # Always so; but it leads SQLite to the index of what is under way.
    waits = and_(d.subscriber == p("subscriber"), under_way, d.due >= literal_column("0"))
    # The few that are parked are looked through: by the subscriber it would be all that it ever got.
    given_up = and_(
        d.parked.isnot(None),
        d.parked >= literal_column("0"),
        func.coalesce(d.subscriber, d.subscriber) == p("subscriber"),
    )
    way = select(d.subscriber, d.event, d.attempts, d.due, d.error, d.delivered, d.parked, d.claim, *event).join(
        _EVENT, e.id == d.event
    )
    kind = cast(p("type"), Text)
    asked_for = and_(or_(kind.is_(None), e.type == kind), e.at >= p("at"))
    place = tuple_(d.parked, d.subscriber, d.event)
    count = select(func.count()).select_from(_DELIVERY)
    mark = update(_DELIVERY).where(one, d.claim.is_not_distinct_from(p("k_claim")))
    nothing: Any = null()
    subscriber = upsert(dialect, _SUBSCRIBER).values(every(_SUBSCRIBER))
    wanted = select(cast(p("subscriber"), Text), e.id, e.subject, e.at, literal_column("0")).where(
        e.id > p("after"),
        e.id <= p("upto"),
        or_(kind.is_(None), e.type == kind),
        ~exists().where(d.subscriber == p("of"), d.event == e.id),
    )
    return {
        # Only the oldest undelivered event of an order is eligible, so that order is kept whatever fails.
        "deliveries_next": way.where(d.subscriber == p("subscriber"), under_way, d.due <= p("now"), ~held_back)
        .order_by(d.due, d.event)
        .limit(p("n"))
        .offset(literal_column("0")),
        # For a relay, which alone writes to its broker and keeps each order's events in turn itself.
        "deliveries_oldest": way.where(d.subscriber == p("subscriber"), under_way, d.event > p("event"))
        .order_by(d.event)
        .limit(p("n"))
        .offset(literal_column("0")),
        "delivery_due": select(d.due)
        .where(d.subscriber == p("subscriber"), under_way, ~held_back)
        .order_by(d.due)
        .limit(literal_column("1"))
        .offset(literal_column("0")),
        "delivery_insert": insert(_DELIVERY).values(
            {c: bindparam("v_" + c) for c in ("subscriber", "event", "subject", "due")}
            | {"attempts": literal_column("0")}
        ),
        "delivery_claim": update(_DELIVERY)
        .where(one, under_way)
        .values(claim=p("claim"), due=p("due"), attempts=p("attempts")),
        "delivery_release": mark.values(due=p("due"), claim=nothing),
        "delivery_skip": update(_DELIVERY)
        .where(one, d.delivered.is_(None))
        .values(delivered=p("delivered"), error=p("error"), parked=nothing, claim=nothing),
        "delivery_done": mark.values(delivered=p("delivered"), attempts=p("attempts"), error=nothing, claim=nothing),
        "delivery_later": mark.values(due=p("due"), attempts=p("attempts"), error=p("error"), claim=nothing),
        "delivery_park": mark.values(parked=p("parked"), attempts=p("attempts"), error=p("error"), claim=nothing),
        "delivery_again": update(_DELIVERY)
        .where(one)
        .values(
            due=p("due"), attempts=literal_column("0"), delivered=nothing, parked=nothing, error=nothing, claim=nothing
        ),
        "deliveries_of": way.where(d.subscriber == p("subscriber"), d.event == p("event")),
        "deliveries_parked": way.where(
            d.parked.isnot(None),
            d.parked >= p("from"),  # what the index is searched by
            place > tuple_(p("parked"), p("subscriber"), p("event")),
        )
        .order_by(d.parked, d.subscriber, d.event)
        .limit(p("n"))
        .offset(literal_column("0")),
        "delivery_held": select(d.subject).where(given_up),
        "delivery_backlog": select(
            func.count(), func.min(e.at), func.coalesce(func.sum(d.attempts), literal_column("0"))
        )
        .select_from(_DELIVERY)
        .join(_EVENT, e.id == d.event)
        .where(waits),
        "delivery_parked_count": count.where(given_up),
        "delivery_failing": count.where(waits, d.attempts > literal_column("0")),
        "delivery_behind": count.where(
            d.subscriber == p("subscriber"), d.subject == p("subject"), d.delivered.is_(None), d.event > p("event")
        ),
        "deliveries_fill": insert(_DELIVERY).from_select(["subscriber", "event", "subject", "due", "attempts"], wanted),
        "deliveries_drop": delete(_DELIVERY).where(d.subscriber == p("subscriber")),
        "subscribers_read": select(s.name, s.kind, s.target, s.types, s.enabled).order_by(s.name),
        "subscriber_set": subscriber.on_conflict_do_update(
            index_elements=["name"],
            set_={n: subscriber.excluded[n] for n in ("kind", "target", "types", "enabled")},
        ),
        "subscriber_delete": delete(_SUBSCRIBER).where(s.name == p("name")),
        "event_at": select(e.id, *event).where(e.subject == p("subject"), e.number == p("number")),
        "events_after": select(e.id, *event)
        .where(e.id > p("id"), asked_for)
        .order_by(e.id)
        .limit(p("n"))
        .offset(literal_column("0")),
        "events_before": select(e.id, *event)
        .where(e.id < p("id"), asked_for)
        .order_by(desc(e.id))
        .limit(p("n"))
        .offset(literal_column("0")),
        "events_about": select(e.id, *event)
        .where(e.subject == p("subject"), e.number < p("number"), asked_for)
        .order_by(desc(e.number))
        .limit(p("n"))
        .offset(literal_column("0")),
        "event_last": select(func.coalesce(func.max(e.id), literal_column("0"))),
        "inbox_read": select(x.done, x.parked).where(x.source == p("source"), x.id == p("id")),
        "inbox_write": _inbox(dialect),
        "inbox_parked": select(x.source, x.id, x.at, x.type, x.body, x.error, x.parked)
        .where(x.parked.isnot(None))
        .order_by(x.parked, x.source, x.id)
        .limit(p("n"))
        .offset(literal_column("0")),
    }


def _inbox(dialect: str) -> Executable:
    row = upsert(dialect, _INBOX).values(every(_INBOX))
    changed = {n: row.excluded[n] for n in ("at", "type", "body", "error", "done", "parked")}
    found: Executable = row.on_conflict_do_update(index_elements=["source", "id"], set_=changed)
    return found
