"""A look into a database for completion: plain sqlite3, read only, and quick. What cannot be read completes nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import quote

MOST = 100
"""Names offered at once."""

_LAST = "\U0010ffff"
_QUERIES = {
    "orders": "SELECT id FROM orders WHERE id >= ? AND id < ? ORDER BY serial DESC LIMIT ?",
    "facilities": "SELECT code FROM facility WHERE code >= ? AND code < ? ORDER BY code LIMIT ?",
    "subscribers": "SELECT name FROM subscriber WHERE name >= ? AND name < ? ORDER BY name LIMIT ?",
    "events": "SELECT subject || ':' || number FROM event WHERE subject >= ? AND subject < ? "
    "ORDER BY subject, number DESC LIMIT ?",
    "skus": "SELECT code FROM sku WHERE code >= ? AND code < ? ORDER BY code LIMIT ?",
}
_FLOW = "SELECT value FROM setting WHERE key = 'flow'"


def names(url: str, what: str, prefix: str) -> list[str]:
    """At most MOST names that begin with `prefix`: of `orders` (newest first), `facilities`, `skus`, `subscribers`.

    Of `events` ids whose order's id begins so.

    `url` is a file name or `sqlite:///PATH`. Never raises for what is wrong with the database, never waits for a lock.
    """
    return [str(row[0]) for row in _rows(url, _QUERIES[what], (prefix, prefix + _LAST, MOST))]


def flow(url: str) -> tuple[list[str], list[str]] | None:
    """(states, triggers) of the flow in force, in its order; None where it is the standard one, or cannot be read."""
    for (text,) in _rows(url, _FLOW, ()):
        try:
            document = json.loads(text)
            return list(document["states"]), list(dict.fromkeys(t["trigger"] for t in document["transitions"]))
        except (ValueError, TypeError, KeyError):
            return None  # whoever pressed Tab hears about it from the command itself
    return None


def _rows(url: str, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    path = url
    if "://" in url:
        scheme, _, rest = url.partition("://")
        if scheme != "sqlite":
            return []
        path = rest[1:].partition("?")[0]
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=0)) as connection:
            return connection.execute(sql, values).fetchall()
    except sqlite3.Error:
        # Missing, locked, damaged, not ours: whoever pressed Tab hears about it from the command itself.
        return []
