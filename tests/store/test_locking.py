"""The writer lock, closing, forking, threads, a full disk: who waits for whom, and what is left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from worlds import DENVER, World, check_database, fork

from orderstate import Conflict, Engine, OrderstateError
from orderstate.engine.commands import Place
from orderstate.errors import Damaged, Locked, ReadOnly, Refused
from orderstate.store.lock import WriterLock
from orderstate.store.sqlite import Transaction


@pytest.fixture
def stocked(world: World) -> World:
    return world.facility("DEN", "39.74,-104.99", MUG=100)


@contextmanager
def in_another_process(work: Callable[[], object]) -> Iterator[None]:
    """`work` is done, and its process stays as it is, until the block ends."""
    read, write = os.pipe()
    child = fork()
    if child == 0:
        try:
            kept = work()
            os.write(write, b"!")
            signal.pause()
            del kept
        finally:
            os._exit(0)
    os.close(write)
    try:
        assert os.read(read, 1) == b"!"
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)


def take_writer_lock(path: Path) -> Callable[[], object]:
    def take() -> object:
        lock = WriterLock(f"{path}-lock", 10)
        lock.acquire()
        return lock

    return take


def begin_immediate(path: Path) -> Callable[[], object]:
    """As a program does that knows nothing of the writer lock."""

    def begin() -> object:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    return begin


@pytest.mark.parametrize("holding", [take_writer_lock, begin_immediate])
def test_a_database_held_by_another_process_is_locked_after_the_timeout_and_then_free_again(
    holding: Callable[[Path], Callable[[], object]], stocked: World
) -> None:
    order = stocked.order(MUG=1)
    engine = stocked.another(timeout=0.2)
    with stocked.unchanged(), in_another_process(holding(stocked.path)):
        with pytest.raises(Locked) as caught:
            engine.tie(order)
        assert engine.order(order).state == "pending"
    assert (caught.value.code, caught.value.exit_status) == ("locked", 6)
    assert caught.value.hint == "try again; nothing was changed"
    assert engine.tie(order).state == "inventory_tied"


def test_a_timeout_of_nothing_does_not_wait(stocked: World) -> None:
    engine = stocked.another(timeout=0)
    with in_another_process(take_writer_lock(stocked.path)), pytest.raises(Locked, match="0 s"):
        engine.place({"MUG": 1}, DENVER)
    settled()
    assert engine.place({"MUG": 1}, DENVER).order == "1001"


@pytest.mark.parametrize("opened", [False, True])
def test_who_would_wait_for_a_transaction_of_its_own_thread_is_told_so_at_once(opened: bool, stocked: World) -> None:
    second = stocked.another()
    if opened:
        second.receive("DEN", "MUG", 1)
    with stocked.engine.unit():
        for engine in (second, stocked.engine):
            with pytest.raises(Refused, match="open in the same thread") as caught:
                engine.place({"MUG": 1}, DENVER)
            assert caught.value.code == "inside_transaction"
        assert held(f"{stocked.path}-lock"), "the transaction outside still has it"
        second.close()
    assert not held(f"{stocked.path}-lock")
    assert second.place({"MUG": 1}, DENVER).order == "1001"


def test_a_lock_that_another_thread_let_go_of_is_not_held_here(tmp_path: Path) -> None:
    first, second = WriterLock(str(tmp_path / "lock"), 0), WriterLock(str(tmp_path / "lock"), 0)
    first.acquire()
    assert second.held_here()
    assert not WriterLock(str(tmp_path / "other"), 0).held_here()
    thread = threading.Thread(target=first.release)
    thread.start()
    thread.join()
    assert not second.held_here()
    first.close()
    second.close()


def test_a_whole_stream_of_commands_stops_at_a_lock_with_nothing_changed(stocked: World) -> None:
    engine = stocked.another(timeout=0.1)
    with stocked.unchanged(), in_another_process(take_writer_lock(stocked.path)), pytest.raises(Locked):
        list(engine.run([Place(lines={"MUG": 1}, to=DENVER)] * 3, batch=2))


def held(path: str) -> bool:
    """True if nobody else can have the lock now."""
    probe = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(probe)
    return False


def settled(patience: float | None = None) -> None:
    """Wait for the threads that still wait for a lock; with `patience`, only so many seconds for each."""
    for thread in threading.enumerate():
        if thread.name == "orderstate-writer-lock":
            thread.join(patience)


def test_a_lock_that_was_waited_for_in_vain_before_is_really_held_afterwards(tmp_path: Path) -> None:
    """A waiter that gave up must not, when its turn comes at last, let go of the lock that its process got since."""
    path = str(tmp_path / "lock")
    for _ in range(12):
        holder, late = WriterLock(path, 10), WriterLock(path, 0)
        holder.acquire()
        for _ in range(4):
            with pytest.raises(Locked):
                late.acquire()
        late._timeout = 30
        releasing = threading.Thread(target=holder.release)
        releasing.start()
        late.acquire()
        releasing.join()
        settled(patience=0.005)
        assert held(path)
        late.release()
        settled()
        assert not held(path)
        late.close()
        holder.close()


def test_a_waiter_that_is_interrupted_as_it_gets_the_lock_does_not_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "lock")
    holder, waiting = WriterLock(path, 10), WriterLock(path, 10)
    holder.acquire()
    real = threading.Event.wait

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread() is threading.main_thread() and timeout == 10:
            holder.release()
            settled()
            raise KeyboardInterrupt
        return real(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        waiting.acquire()
    monkeypatch.undo()
    assert not held(path)
    waiting.close()
    holder.close()


def test_locks_leave_no_descriptors_behind(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    before = descriptors()
    for _ in range(3):
        holder, late = WriterLock(path, 0), WriterLock(path, 0)
        holder.acquire()
        with pytest.raises(Locked):
            late.acquire()
        holder.release()
        settled()
        late.acquire()
        late.close()
        holder.close()
    assert descriptors() == before


def test_a_lock_file_that_cannot_be_opened_is_read_only(tmp_path: Path) -> None:
    with pytest.raises(ReadOnly) as caught:
        WriterLock(str(tmp_path / "none" / "lock"), 1)
    assert caught.value.exit_status == 4


# Closing


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_an_engine_can_be_closed_twice_and_leaves_nothing_open(stocked: World) -> None:
    stocked.close()
    before = descriptors()
    for _ in range(3):
        engine = Engine.open(stocked.path)
        engine.place({"MUG": 1}, DENVER)
        engine.orders()
        engine.close()
        engine.close()
    assert descriptors() == before


def test_an_engine_that_did_nothing_opens_nothing(stocked: World) -> None:
    before = descriptors()
    engine = Engine.open(stocked.path)
    assert descriptors() == before
    engine.close()


def test_a_closed_engine_opens_again_when_it_is_used(stocked: World) -> None:
    engine = stocked.another()
    engine.close()
    assert engine.place({"MUG": 1}, DENVER).order == "1001"
    assert engine.order("1001").version == 1


def test_what_was_committed_is_not_denied_when_closing_finds_the_lock_taken(stocked: World) -> None:
    """Locked says that nothing was changed, and that it is safe to retry: after a commit that would be a lie."""
    engine = Engine.open(f"sqlite:///{stocked.path}?timeout=0.1")
    order = engine.place({"MUG": 1}, DENVER).order
    with in_another_process(take_writer_lock(stocked.path)):
        engine.close()
    assert stocked.engine.order(order).state == "pending"
    check_database(stocked.path)


def test_closing_waits_for_the_writer_lock(stocked: World) -> None:
    """Closing may checkpoint, and no checkpoint may run beside a writer in another process."""
    stocked.close()
    engine = Engine.open(stocked.path)
    engine.place({"MUG": 1}, DENVER)
    lock = WriterLock(f"{stocked.path}-lock", 10)
    taken, closed = threading.Event(), threading.Event()
    seen = []

    def let_go() -> None:
        lock.acquire()
        taken.set()
        while not closed.is_set() and "orderstate-writer-lock" not in {t.name for t in threading.enumerate()}:
            closed.wait(0.001)
        seen.append((closed.is_set(), Path(f"{stocked.path}-wal").exists()))
        lock.release()

    releasing = threading.Thread(target=let_go)
    releasing.start()
    taken.wait()
    engine.close()
    closed.set()
    releasing.join()
    lock.close()
    assert seen == [(False, True)]
    assert not Path(f"{stocked.path}-wal").exists()


def killed_writer(path: Path) -> int:
    """A writer that commits and is killed: its log stays. The size of the log."""

    def write() -> Engine:
        engine = Engine.open(path)
        engine.place({"MUG": 1}, DENVER)
        return engine

    with in_another_process(write):
        pass
    return Path(f"{path}-wal").stat().st_size


def test_a_reader_that_closes_last_does_not_checkpoint(stocked: World) -> None:
    stocked.close()
    size = killed_writer(stocked.path)
    assert size > 0
    before = stocked.path.read_bytes()
    with Engine.open(stocked.path) as reader:
        assert reader.order("1001").state == "pending"
    assert stocked.path.read_bytes() == before
    assert Path(f"{stocked.path}-wal").stat().st_size == size


def test_a_writer_that_closes_last_does_checkpoint(stocked: World) -> None:
    """The control: there was something to checkpoint."""
    stocked.close()
    killed_writer(stocked.path)
    before = stocked.path.read_bytes()
    with Engine.open(stocked.path) as writer:
        writer.place({"MUG": 1}, DENVER)
    assert stocked.path.read_bytes() != before
    assert not Path(f"{stocked.path}-wal").exists()


def test_the_database_is_durable_as_it_is_promised(stocked: World) -> None:
    with stocked.engine.store.write() as tx:
        assert tx.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert tx.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert tx.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        assert tx.execute("PRAGMA ignore_check_constraints").fetchone()[0] == 0


def test_a_transaction_is_a_writer_from_its_beginning(stocked: World) -> None:
    """BEGIN IMMEDIATE: or a stranger to the writer lock could write between what it reads and what it writes."""
    with closing(sqlite3.connect(stocked.path, isolation_level=None, timeout=0)) as stranger:
        with stocked.engine.store.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
            stranger.execute("BEGIN IMMEDIATE")
        stranger.execute("BEGIN IMMEDIATE")


def test_a_reader_cannot_write(stocked: World) -> None:
    with pytest.raises(ReadOnly), stocked.engine.store.read() as tx:
        tx.execute("UPDATE stock SET safety = 1")


def test_a_reader_sees_nothing_of_a_transaction_before_its_commit_and_does_not_wait_for_it(stocked: World) -> None:
    other = stocked.another(timeout=0.1)
    with stocked.engine.store.write() as tx:
        tx.execute("UPDATE stock SET safety = 7")
        assert [level.safety for level in other.stock()] == [0]
    assert [level.safety for level in other.stock()] == [7]


def test_one_view_stays_as_it_is_while_another_process_writes(stocked: World) -> None:
    with stocked.engine.store.read():
        assert stocked.engine.orders() == []
        stocked.another().place({"MUG": 1}, DENVER)
        assert stocked.engine.orders() == []
    assert [order.id for order in stocked.engine.orders()] == ["1001"]


# Forks, threads, a full disk, an interrupt


def in_a_fork(work: Callable[[], object]) -> str:
    """What `work` says in a forked child: `done`, or the error's code."""
    read, write = os.pipe()
    child = fork()
    if child == 0:
        try:
            work()
            said = "done"
        except OrderstateError as error:
            said = error.code
        except BaseException as error:  # noqa: BLE001 - the parent must be told
            said = repr(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as end:
        said = end.read().decode()
    os.waitpid(child, 0)
    return said


@pytest.mark.parametrize("opened", [False, True])
def test_a_forked_child_cannot_use_its_parents_engine(opened: bool, stocked: World) -> None:
    engine = Engine.open(stocked.path)
    if opened:
        engine.place({"MUG": 1}, DENVER)
        engine.orders()
    assert in_a_fork(engine.orders) == "forked"
    assert in_a_fork(lambda: engine.place({"MUG": 1}, DENVER)) == "forked"
    assert engine.place({"MUG": 1}, DENVER).changed
    engine.close()


def test_a_forked_child_does_not_keep_the_lock_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.db-lock")
    parent = WriterLock(path, 0.0)
    parent.acquire()
    child = fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), parent._descriptor)  # it is gone, as if the parent had been killed
        other = WriterLock(path, 60.0)
        other.acquire()  # waits for the child to have let go, and for no longer
        other.close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_forked_child_that_closes_its_parents_engine_locks_nobody_out(stocked: World) -> None:
    stocked.engine.orders()
    assert in_a_fork(stocked.engine.close) == "done"
    assert stocked.another(timeout=0.1).place({"MUG": 1}, DENVER).order == "1001"
    assert stocked.engine.place({"MUG": 1}, DENVER).order == "1002"


def test_a_forked_child_that_ends_normally_does_its_parent_no_harm(stocked: World) -> None:
    stocked.order(MUG=1)
    assert in_a_fork(lambda: Engine.open(stocked.path).tie("1001")) == "done"
    assert stocked.engine.order("1001").state == "inventory_tied"
    assert stocked.engine.ship("1001").state == "shipping"
    stocked.check()


def test_an_engine_of_another_thread_is_refused_with_nothing_changed(stocked: World) -> None:
    stocked.order(MUG=1)
    caught: list[BaseException] = []

    def use() -> None:
        for work in (lambda: stocked.engine.tie("1001"), lambda: stocked.engine.order("1001")):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - its class is what is asked
                caught.append(error)

    with stocked.unchanged():
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert [type(error) for error in caught] == [Conflict, Conflict]
    assert stocked.another(timeout=0.1).tie("1001").state == "inventory_tied"


class Failing(sqlite3.OperationalError):
    """As SQLite says on a file system that has no word of its own for a full disk."""

    sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE


@pytest.mark.parametrize(
    ("blocks", "number", "code"),
    [
        (0, sqlite3.SQLITE_IOERR_WRITE, "disk_full"),
        (0, sqlite3.SQLITE_IOERR_SHMSIZE, "disk_full"),
        (0, sqlite3.SQLITE_IOERR_READ, "damaged"),
        (1000, sqlite3.SQLITE_IOERR_WRITE, "damaged"),
    ],
)
def test_what_cannot_be_written_where_there_is_no_room_is_a_full_disk(
    blocks: int, number: int, code: str, stocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=blocks, f_frsize=4096))
    monkeypatch.setattr(Failing, "sqlite_errorcode", number)
    with pytest.raises(OrderstateError) as caught, stocked.engine.store.write():
        raise Failing("disk I/O error")
    assert (caught.value.code, caught.value.about) == (code, str(stocked.path))


@pytest.mark.parametrize(("blocks", "code"), [(0, "disk_full"), (1000, "transaction_lost")])
def test_a_transaction_that_sqlite_gave_up_for_want_of_room_says_so(
    blocks: int, code: str, stocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=blocks, f_frsize=4096))

    def lose(tx: Transaction) -> None:
        tx.execute("ROLLBACK")
        raise Failing("disk I/O error")

    with pytest.raises(Damaged) as caught, stocked.engine.store.write() as tx, tx.savepoint():
        lose(tx)
    assert (caught.value.code, caught.value.about) == (code, str(stocked.path))


@pytest.mark.parametrize("batch", [1, 7, 400])
def test_a_full_disk_is_said_to_be_so_with_nothing_changed(batch: int, stocked: World) -> None:
    stocked.order(MUG=1)
    with stocked.engine.store.write() as tx:
        pages = tx.execute("PRAGMA page_count").fetchone()[0]
        tx.execute(f"PRAGMA max_page_count={pages + 2}")
    outcomes: list[object] = []
    with pytest.raises(OrderstateError, match="the disk is full") as caught:
        outcomes.extend(stocked.engine.run([Place(lines={"MUG": 1}, to=DENVER, contact="x" * 900)] * 400, batch=batch))
    done = stocked.rows("SELECT count(*) FROM orders")[0][0] - 1
    assert (caught.value.code, caught.value.exit_status) == ("disk_full", 1)
    assert len(outcomes) == done
    assert done % batch == 0
    assert done < 400
    with closing(sqlite3.connect(stocked.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert stocked.another().tie("1001").state == "inventory_tied"
    stocked.check()
