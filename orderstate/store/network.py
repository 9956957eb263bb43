"""Facilities and settings: what changes seldom. Each change raises the network's version, by which engines cache it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from orderstate.errors import NotFound, Refused
from orderstate.model import Facility
from orderstate.store.sqlite import Transaction

_MICRODEGREES = 1_000_000


def version(tx: Transaction) -> int:
    """The number that every change of facilities or settings raises."""
    return int(tx.execute(tx.sql.counter_read, ("network",)).fetchone()[0])


def changed(tx: Transaction) -> None:
    """Raise the network's version."""
    tx.execute(tx.sql.counter_next, ("network",)).fetchone()


def facilities(tx: Transaction) -> list[Facility]:
    """Every facility, by code."""
    return [_facility(row) for row in tx.execute(tx.sql.facilities_read).fetchall()]


def facility(tx: Transaction, code: str) -> Facility:
    """One facility. Raises NotFound with close matches."""
    row = tx.execute(tx.sql.facility_read, (code,)).fetchone()
    if row is None:
        known = [f.code for f in facilities(tx)]
        hint = "orderstate facility list" if known else f"orderstate facility add {code} --at LAT,LON --country CC"
        raise NotFound.named("facility", code, known, hint=hint)
    return _facility(row)


def add(tx: Transaction, new: Facility) -> None:
    """A new facility. Raises Refused where the code is taken."""
    try:
        tx.execute(tx.sql.facility_insert, (new.code, *_columns(new), 0))
    except tx.integrity_error as error:
        raise Refused(
            f"there is a facility {new.code} already",
            code="facility_exists",
            hint=f"orderstate facility set {new.code}",
        ) from error
    changed(tx)


def set_facility(tx: Transaction, new: Facility) -> None:
    """Write a facility that is there."""
    tx.execute(tx.sql.facility_update, (*_columns(new), new.code))
    changed(tx)


def next_number(tx: Transaction, code: str) -> int:
    """Raise the facility's version; the number of its next event. Raises NotFound with close matches."""
    row = tx.execute(tx.sql.facility_number, (code,)).fetchone()
    if row is None:
        facility(tx, code)
        raise AssertionError(code)
    return int(row[0])


def settings(tx: Transaction) -> dict[str, str]:
    """Every setting that differs from its default, and the database's id."""
    return dict(tx.execute(tx.sql.settings_read).fetchall())


def setting(tx: Transaction, key: str) -> str | None:
    """One setting's text, or None where it has its default."""
    row = tx.execute(tx.sql.setting_read, (key,)).fetchone()
    return None if row is None else str(row[0])


def configure(tx: Transaction, key: str, value: str | None) -> None:
    """Keep a setting; None returns it to its default."""
    if value is None:
        tx.execute(tx.sql.setting_delete, (key,))
    else:
        tx.execute(tx.sql.setting_set, (key, value))
    changed(tx)


def _columns(f: Facility) -> tuple[object, ...]:
    return (
        f.country, _micro(f.latitude), _micro(f.longitude), f.name, f.gateway, f.priority, int(f.closed),
        json.dumps(dict(f.costs), sort_keys=True),
    )  # fmt: skip


def _micro(degrees: float | None) -> int | None:
    return None if degrees is None else round(degrees * _MICRODEGREES)


def _facility(row: Sequence[object]) -> Facility:
    code, country, latitude, longitude, name, gateway, priority, closed, costs, number = row
    return Facility(
        code=str(code),
        country=str(country),
        latitude=None if latitude is None else int(str(latitude)) / _MICRODEGREES,
        longitude=None if longitude is None else int(str(longitude)) / _MICRODEGREES,
        name=None if name is None else str(name),
        gateway=None if gateway is None else str(gateway),
        priority=int(str(priority)),
        closed=bool(closed),
        costs=json.loads(str(costs)),
        version=int(str(number)),
    )
