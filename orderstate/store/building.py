"""Shorthands of which the statements are built."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite


def p(name: str) -> Any:
    """A parameter."""
    return bindparam(name)


def every(table: Any, *without: str) -> dict[str, Any]:
    """A parameter for each column."""
    return {c.name: bindparam("v_" + c.name) for c in table.columns if c.name not in without}


def upsert(dialect: str, table: Any) -> Any:
    """An INSERT that may go on with ON CONFLICT."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
