"""A look into a database for completion: plain sqlite3, read only, and quick. What cannot be read completes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import quote

MOST = 100
"""Names offered at once."""

_LAST = "\U0010ffff"
_QUERIES = {
    "orders": "SELECT id FROM orders WHERE id >= ? AND id < ? ORDER BY serial DESC LIMIT ?",
    "facilities": "SELECT code FROM facility WHERE code >= ? AND code < ? ORDER BY code LIMIT ?",
    "skus": "SELECT code FROM sku WHERE code >= ? AND code < ? ORDER BY code LIMIT ?",
}


def names(url: str, what: str, prefix: str) -> list[str]:
    """At most MOST names that begin with `prefix`: of `orders` (newest first), `facilities` or `skus`.

    `url` is a file name or `sqlite:///PATH`. Never raises for what is wrong with the database, never waits for a lock.
    """
    path = url
    if "://" in url:
        scheme, _, rest = url.partition("://")
        if scheme != "sqlite":
            return []
        path = rest[1:].partition("?")[0]
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=0)) as connection:
            rows = connection.execute(_QUERIES[what], (prefix, prefix + _LAST, MOST)).fetchall()
    except sqlite3.Error:
        # Missing, locked, damaged, not ours: whoever pressed Tab hears about it from the command itself.
        return []
    return [str(row[0]) for row in rows]
