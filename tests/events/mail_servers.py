"""Real mail servers on the loopback (aiosmtpd): plain, with STARTTLS or TLS, with a login, with answers of their own.

with mail_server() as server: ... server.mails
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from orderstate.addresses import Mailbox, MailServer
from orderstate.events.notify.smtp import Smtp

SHOP = Mailbox("orders@shop.example", "Mug Shop")
USER, PASSWORD = "mailer", "correct horse"


class Handler:
    """Keeps what it takes; answers to MAIL, RCPT and DATA can be given, and DATA can be left without any."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.mails: list[Envelope] = []
        self.sessions: set[int] = set()
        self.silent = asyncio.Event()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"].replace("{address}", address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.answers.get("DATA", "250 OK")
        if not answer:
            await self.silent.wait()
        if answer.startswith("2"):
            self.mails.append(envelope)
            self.sessions.add(id(session))
        return answer


class Running:
    """A server that runs: where it is, and what it has taken."""

    def __init__(self, handler: Handler, port: int) -> None:
        self.handler = handler
        self.port = port

    @property
    def mails(self) -> list[Envelope]:
        """What it took, oldest first."""
        return self.handler.mails

    def channel(self, tls: str = "none", user: str = "", password: str = "", timeout: float = 10) -> Smtp:
        """A channel that sends to it."""
        return Smtp(MailServer("127.0.0.1", self.port, tls, user, timeout), SHOP, password)


@contextmanager
def mail_server(
    answers: dict[str, str] | None = None,
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    login: bool = False,
    utf8: bool = True,
    most: int | None = None,
) -> Iterator[Running]:
    """A server on a free port of the loopback. `answers`: to MAIL, RCPT, DATA; an empty one to DATA never comes."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and given == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    handler = Handler(answers or {})
    more: dict[str, Any] = {"tls_context": starttls, "require_starttls": starttls is not None, "enable_SMTPUTF8": utf8}
    if most is not None:
        more["data_size_limit"] = most
    if login:
        more |= {"authenticator": check, "auth_required": True, "auth_require_tls": False}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        return await loop.create_server(
            lambda: SMTP(handler, hostname="mail.test", loop=loop, **more), "127.0.0.1", 0, ssl=tls
        )

    listening = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield Running(handler, listening.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_stop(listening, handler), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _stop(listening: asyncio.Server, handler: Handler) -> None:
    """Take nobody any more, answer what waits, and let every conversation end."""
    listening.close()
    handler.silent.set()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def mute_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@contextmanager
def dripping_port(*says: bytes, tls: ssl.SSLContext | None = None, heard: bytes = b"\n") -> Iterator[int]:
    """A port that says each of these when it has heard a line that ends so, the last one byte by byte for ten seconds.

    The first is said at once.
    """
    over = threading.Event()
    talking: list[threading.Thread] = []

    def talk(client: socket.socket) -> None:
        with suppress(OSError), client if tls is None else tls.wrap_socket(client, server_side=True) as speaking:
            for number, text in enumerate(says):
                if number and not hears(speaking):
                    return
                for said in [text] if number < len(says) - 1 else [bytes([byte]) for byte in text]:
                    speaking.sendall(said)
                    if said is not text:
                        over.wait(10 / len(text))

    def hears(speaking: socket.socket) -> bool:
        while got := speaking.recv(65_536):
            if heard in got:
                return True
        return False

    def listen() -> None:
        with suppress(OSError):
            while True:
                talking.append(threading.Thread(target=talk, args=(listening.accept()[0],), daemon=True))
                talking[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for one in talking:
                one.join(10)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def certificate(folder: Path, name: str = "IP:127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for the loopback, and the server's side of it. Skips without the program openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl makes the certificate")
    key, certified = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}",
            "-keyout", str(key), "-out", str(certified),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified, key)
    return certified, context
