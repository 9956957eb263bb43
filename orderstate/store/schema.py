"""Making and upgrading a database, through Alembic. Imported only by `init`, `demo` and `db upgrade`."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from orderstate import outputs
from orderstate.errors import OrderstateError, Refused
from orderstate.store.lock import WriterLock
from orderstate.store.sqlite import REVISIONS, check_revision, connect, missing, revision, translated


def create(path: Path) -> None:
    """A new, empty database at `path`: whole, or not at all. Raises Refused if something is there already."""
    if path.exists():
        raise Refused(f"{path} exists already", hint="name another file with --db", code="exists", path=str(path))
    for left in (Path(f"{path}-wal"), Path(f"{path}-journal")):
        if left.exists():  # it would be played into the new database
            sentence = f"{left} is left over from a database that is gone"
            raise Refused(sentence, hint=f"rm {left}", code="exists", path=str(left))
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        draft.touch(exist_ok=False)  # SQLite would not say why it cannot be made
        with translated(path):
            _fill(draft)
        os.link(draft, path)
    except FileExistsError as error:
        raise Refused(f"{path} exists already", hint="name another file with --db", code="exists") from error
    except OSError as error:
        raise outputs.unwritable(path, error) from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):  # a file system that is read only says so even of what is not there
                Path(f"{draft}{suffix}").unlink()


def upgrade(path: Path, timeout: float = 10.0) -> tuple[str, str]:
    """Bring the database to this program's schema; returns (revision before, revision after).

    Raises NotFound, NotOurs, SchemaMismatch for a newer one, Locked.
    """
    if not path.is_file():
        raise missing(path)
    lock = WriterLock(f"{path}-lock", timeout)
    try:
        lock.acquire()
        with translated(path):
            connection = connect(path, "rw", timeout)
            try:
                before = revision(connection)
                if before not in REVISIONS[:-1]:
                    check_revision(connection, path)
                if before != REVISIONS[-1]:
                    _migrate(connection)
                return str(before), REVISIONS[-1]
            finally:
                connection.close()
    finally:
        lock.close()


def _fill(draft: Path) -> None:
    connection = connect(draft, "rw", 10.0)
    try:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise OrderstateError(f"SQLite cannot keep a write-ahead log here (journal mode {mode})", code="no_wal")
        connection.execute("PRAGMA synchronous=FULL")
        _migrate(connection)
    finally:
        connection.close()


def _migrate(connection: sqlite3.Connection) -> None:
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=NullPool)
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with engine.connect() as bound, bound.begin():
            bound.exec_driver_sql("BEGIN IMMEDIATE")  # the driver is in autocommit, so this is what begins
            settings.attributes["connection"] = bound
            command.upgrade(settings, "head")
    except DBAPIError as error:
        if error.orig is None:
            raise
        raise error.orig from error  # SQLite's own, which is known further up
