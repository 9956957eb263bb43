"""SQLite: connections, transactions and errors, by a recipe that was measured not to oversell and not to lose commits.

WAL with synchronous=FULL; every write transaction is BEGIN IMMEDIATE behind the writer lock; readers open mode=ro, so
that they never checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote as shell_quote
from threading import get_ident
from types import TracebackType
from typing import Any
from urllib.parse import quote

from orderstate.errors import (
    Conflict,
    Damaged,
    InvalidInput,
    Locked,
    NotFound,
    NotInstalled,
    NotOurs,
    OrderstateError,
    ReadOnly,
    Refused,
    SchemaMismatch,
)
from orderstate.store.compiled import SQLITE, Statements
from orderstate.store.lock import WriterLock

REVISIONS = ("0001", "0002")
"""Every schema revision, oldest first; the last is the one that this program reads and writes."""

MINIMUM = (3, 37, 0)
"""The first SQLite with STRICT tables."""

ROOM = 65_536
"""Bytes that a disk must have free so that a write can fail for another reason than that it is full."""


class Transaction:
    """What runs inside one transaction: plain statements with plain parameters."""

    __slots__ = ("_path", "execute", "executemany", "sql")

    integrity_error = sqlite3.IntegrityError

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.sql: Statements = SQLITE
        self._path = path
        self.execute: Callable[..., sqlite3.Cursor] = connection.execute
        self.executemany: Callable[[str, Sequence[Sequence[Any]]], sqlite3.Cursor] = connection.executemany

    def begin_again(self) -> None:
        """Undo everything and go on with nothing done. The writer lock is kept, so no other writer comes between."""
        self.execute("ROLLBACK")
        self.execute("BEGIN IMMEDIATE")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done inside is undone when it raises, and the transaction goes on.

        Raises Damaged (`disk_full`, `transaction_lost`) where SQLite undid the whole transaction by itself.
        """
        self.execute("SAVEPOINT command")
        try:
            yield
        except BaseException as error:
            try:
                self.execute("ROLLBACK TO command")
                self.execute("RELEASE command")
            except sqlite3.OperationalError as gone:
                raise _given_up(error, self._path) from gone
            raise
        self.execute("RELEASE command")


class SqliteStore:
    """One database file: at most one connection that writes and one that reads, each opened when first needed.

    `path` is absolute, as a program may change its working directory; `named` is what people are shown. Belongs to the
    thread and the process that made it. Raises NotFound (no file), NotOurs, SchemaMismatch, Damaged.
    """

    dialect = "sqlite"

    def __init__(self, path: str | Path, *, timeout: float = 10.0, named: Path | None = None) -> None:
        if sqlite3.sqlite_version_info < MINIMUM:
            raise NotInstalled(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or newer is needed")
        self.named = Path(path) if named is None else named
        self.timeout = timeout
        self._process = os.getpid()
        self._thread = get_ident()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._lock: WriterLock | None = None
        self._writing: Transaction | None = None
        self._reading: Transaction | None = None
        if not Path(path).is_file():
            raise missing(self.named)
        self.path = Path(path).absolute()

    def another(self) -> SqliteStore:
        """One more store on the same file, for another thread. Raises NotFound where it is gone."""
        return SqliteStore(self.path, timeout=self.timeout, named=self.named)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One write transaction, committed at the end, rolled back when it raises.

        Raises Locked after `timeout`, and Refused at once where this thread is inside one already.
        """
        self._check_owner()
        if self._writing is None:
            self._open_writer()
        assert self._writer is not None
        assert self._writing is not None
        assert self._lock is not None
        self._demand_not_inside(self._lock)
        self._lock.acquire()
        try:
            with translated(self.path, self.named):
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writing
                    self._writer.execute("COMMIT")
                finally:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
        finally:
            self._lock.release()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One consistent view of the database; takes no lock and waits for nobody."""
        self._check_owner()
        if self._reading is None:
            self._open_reader()
        assert self._reader is not None
        assert self._reading is not None
        with translated(self.path, self.named):
            if self._reader.in_transaction:
                yield self._reading
                return
            self._reader.execute("BEGIN")
            try:
                yield self._reading
            finally:
                self._reader.execute("ROLLBACK")

    def commits(self) -> int:
        """A number that is another one after every commit, whoever made it. Costs next to nothing."""
        with self.read() as tx:
            return int(tx.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close both connections; the writer last and behind the lock, as closing it may checkpoint.

        In a forked child it does nothing: connections and lock are the parent's.
        """
        if self._process != os.getpid():
            return
        self._check_owner()
        reader, self._reader, self._reading = self._reader, None, None
        if reader is not None:
            reader.close()
        writer, self._writer, self._writing = self._writer, None, None
        lock, self._lock = self._lock, None
        if writer is None or lock is None:
            return
        try:
            # Whoever holds the lock all that time has the database open, so ours is not the last connection and does
            # not checkpoint: closing without the lock is safe then, and what was committed must not be denied.
            with suppress(Locked):
                if not lock.held_here():
                    lock.acquire()
            writer.close()
        finally:
            lock.close()

    def _check_owner(self) -> None:
        if self._process != os.getpid():
            raise Conflict("this engine was opened in another process; open one engine in each", code="forked")
        if self._thread != get_ident():
            raise Conflict("this engine was opened in another thread; open one engine in each", code="wrong_thread")

    def _demand_not_inside(self, lock: WriterLock) -> None:
        if lock.held_here():
            raise Refused(
                f"{self.named}: this would wait for a transaction that is open in the same thread",
                hint="work through the open unit: a local subscriber is given it",
                code="inside_transaction",
                path=str(self.named),
            )

    def _open_writer(self) -> None:
        lock = connection = None
        try:
            lock = WriterLock(f"{self.path}-lock", self.timeout, named=f"{self.named}-lock")
            self._demand_not_inside(lock)
            if not os.access(self.path, os.W_OK):
                raise ReadOnly(f"{self.named} cannot be written", hint="check who owns it", path=str(self.named))
            lock.acquire()
            with translated(self.path, self.named):
                connection = connect(self.path, "rw", self.timeout)
                check_revision(connection, self.named)
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA foreign_keys=ON")
                connection.execute("PRAGMA temp_store=MEMORY")
                connection.execute("PRAGMA cache_size=-16000")
            lock.release()
        except BaseException as error:
            if connection is not None:
                connection.close()
            if lock is not None:
                lock.close()
            if isinstance(error, ReadOnly):
                error.about = str(self.path)
            raise
        self._lock, self._writer, self._writing = lock, connection, Transaction(connection, self.path)

    def _open_reader(self) -> None:
        with translated(self.path, self.named):
            connection = connect(self.path, "ro", self.timeout)
            try:
                check_revision(connection, self.named)
                connection.execute("PRAGMA cache_size=-16000")
            except BaseException:
                connection.close()
                raise
        self._reader, self._reading = connection, Transaction(connection, self.path)


def missing(path: Path) -> NotFound:
    """The error for a path at which there is no database, with the command that makes one there, if one can."""
    sentence, hint = f"there is no database at {path}", f"orderstate --db {shell_quote(str(path))} init"
    if path.is_dir():
        inside = path / "orderstate.db"
        sentence = f"{path} is a folder, not a database"
        hint = f"orderstate --db {shell_quote(str(inside))}" + ("" if inside.exists() else " init")
    elif path.exists():
        sentence, hint = f"{path} is no file, so it is no database", "name another file with --db"
    elif not path.parent.is_dir():
        hint = f"mkdir -p {shell_quote(str(path.parent))}"
    elif str(path) == "orderstate.db":
        hint = "orderstate init"
    return NotFound(sentence, hint=hint, code="no_database", path=str(path))


def connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    """A bare connection in autocommit; `mode` as in SQLite's URI file names (ro, rw, rwc)."""
    uri = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, cached_statements=256)


def revision(connection: sqlite3.Connection) -> str | None:
    """The schema revision that the database says it has, or None."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return None
    return str(row[0]) if row else None


def location(url: str) -> tuple[Path, float]:
    """The file and the waiting time (seconds) of a database URL: `PATH` or `sqlite:///PATH[?timeout=SECONDS]`.

    Raises NotInstalled for PostgreSQL, which this version does not open yet, and InvalidInput for any other scheme.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url), 10.0
    if scheme.split("+")[0] in ("postgresql", "postgres"):
        raise NotInstalled("PostgreSQL is not supported in this version", hint="name a file: --db orderstate.db")
    if scheme != "sqlite" or not rest.startswith("/"):
        raise InvalidInput("db", url, "a file name or sqlite:///PATH")
    path, _, query = rest[1:].partition("?")
    name, _, value = query.partition("=")
    if not query:
        return Path(path), 10.0
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if name != "timeout" or not 0 <= seconds <= 3600:
        raise InvalidInput("db", url, "sqlite:///PATH?timeout=SECONDS with 0 to 3600 seconds")
    return Path(path), seconds


class translated:  # noqa: N801, RUF100 - it reads as a verb: with translated(path)
    """SQLite's errors as ours; `named`: the path as people are shown it. A class, as it is around every transaction: a
    generator takes four times as long."""

    __slots__ = ("named", "path")

    def __init__(self, path: Path, named: Path | None = None) -> None:
        self.path = path
        self.named = path if named is None else named

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        known = _translate(error, self.path, self.named) if isinstance(error, sqlite3.Error) else None
        if isinstance(error, UnicodeEncodeError):  # half characters, as arguments that are not UTF-8 make them
            known = InvalidInput("name", error.object, "text that can be kept as UTF-8")
        if known is not None:
            raise known from error


def _given_up(error: BaseException, path: Path) -> Damaged:
    """The error where SQLite undid a whole transaction by itself, because of that one."""
    if isinstance(error, sqlite3.Error) and _is_full(error, path):
        lost = Damaged(f"the disk is full: {error}; nothing was changed", code="disk_full")
    else:
        sentence = f"the database gave the transaction up, nothing of it was done: {error}"
        lost = Damaged(sentence, code="transaction_lost")
    lost.about = str(path)
    return lost


def _is_full(error: sqlite3.Error, path: Path) -> bool:
    """True where the disk has no room. Some file systems, such as tmpfs, only say that writing failed."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return True
    if code & 0xFF != sqlite3.SQLITE_IOERR or code in (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ):
        return False
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < ROOM


def _translate(error: sqlite3.Error, path: Path, shown: Path) -> OrderstateError | None:
    known = _known(error, path, shown)
    if isinstance(known, Damaged | ReadOnly) or (known is not None and known.code == "disk_full"):
        known.about = str(path.absolute())
    return known


def _known(error: sqlite3.Error, place: Path, path: Path) -> OrderstateError | None:
    """`place` is where the database is, `path` is what people are shown."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    named = str(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Locked(f"{path} is locked by another program", hint="try again; nothing was changed", path=named)
    if code == sqlite3.SQLITE_NOTADB:
        return NotOurs(f"{path} is not an orderstate database", hint="name another file with --db", path=named)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return ReadOnly(
            f"{path} cannot be opened or written: {error}",
            hint=_way_out(place, path),
            path=named,
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return Damaged(f"{path} is damaged: {error}", hint="restore it from a backup", path=named)
    if _is_full(error, place):
        return OrderstateError(f"the disk is full: {path}; nothing was changed", code="disk_full", path=named)
    if code == sqlite3.SQLITE_IOERR:
        return Damaged(f"{path} could not be read or written: {error}", hint="check the disk", path=named)
    return None


def _way_out(place: Path, path: Path) -> str:
    """What helps where a database cannot be opened: its write-ahead log needs a folder that can be written."""
    if os.access(place.parent, os.W_OK) or not os.access(place, os.R_OK):
        return "check who owns it and its folder"
    from shlex import quote

    return (
        f"SQLite must write into the folder of a database, even to read it: cp {quote(str(path))}* FOLDER, "
        f"then orderstate --db FOLDER/{quote(path.name)}"
    )


def _has_our_id(connection: sqlite3.Connection) -> bool:
    """Other programs use Alembic too; the random id is ours."""
    try:
        return connection.execute("SELECT 1 FROM setting WHERE key = 'database.id'").fetchone() is not None
    except sqlite3.OperationalError:
        return False


def check_revision(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not ours, older or newer. In the good case it is one read."""
    found = revision(connection)
    if found == REVISIONS[-1]:
        return
    named = str(path)
    if found is None or not _has_our_id(connection):
        raise NotOurs(f"{path} is not an orderstate database", hint="name another file with --db", path=named)
    if found in REVISIONS:
        raise SchemaMismatch(
            f"{path} was written by an older orderstate (revision {found})",
            hint=f"orderstate --db {path} db upgrade",
            path=named,
            revision=found,
        )
    raise SchemaMismatch(
        f"{path} was written by a newer orderstate (revision {found})",
        hint="upgrade orderstate to open it",
        path=named,
        revision=found,
    )
