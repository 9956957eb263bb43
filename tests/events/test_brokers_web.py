"""A web address as a sink, against a server of our own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mail_servers import dripping_port

from orderstate.events.brokers import CONTENT_TYPE, Message, sink
from orderstate.events.outcomes import Later, Never

SECRET = b"0123456789abcdef0123456789abcdef"


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets, and answers what `answers` says for the key, else 204; 0 hangs up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}

    def url(self, path: str = "/hook", scheme: str = "http", login: str = "") -> str:
        return f"{scheme}://{login}127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    """Posts only."""

    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        status, headers = self.server.answers.get(body.decode(), (204, {}))
        if status == 0:
            self.close_connection = True
            return
        said = b"" if status == 204 else b"no: hidden-password\nof yours"
        self.send_response(status)
        for name, value in {"Content-Length": str(len(said)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a port of its own."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def event(name: str) -> Message:
    """One that the receiver knows by its body."""
    return Message(f"urn:test/{name}.1", name, "OrderPlaced", name.encode(), {"traceparent": "00-1"})


def test_each_event_is_posted_and_signed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSTATE_WEBHOOK_SECRET", "whsec_" + base64.b64encode(SECRET).decode())
    with sink(receiver.url("/a%20b?tenant=1#timeout=5&together=4", login="shop:pass@")) as out:
        assert out.publish([event(f"e{n}") for n in range(20)]) == [None] * 20
    assert sorted(body for _, _, body in receiver.got) == sorted(f"e{n}".encode() for n in range(20))
    path, headers, body = receiver.got[0]
    assert path == "/a%20b?tenant=1"
    assert headers["content-type"] == CONTENT_TYPE
    assert headers["traceparent"] == "00-1"
    assert headers["authorization"] == "Basic " + base64.b64encode(b"shop:pass").decode()
    assert headers["webhook-id"] == f"urn:test/{body.decode()}%2E1"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mark = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{mark}"


def test_each_answer_has_its_verdict_and_harms_no_other(receiver: Receiver) -> None:
    receiver.answers = {
        "busy": (503, {"Retry-After": "7"}),
        "failing": (500, {}),
        "login": (401, {}),
        "moved": (301, {"Location": "/elsewhere"}),
        "large": (413, {}),
        "wrong": (422, {}),
    }
    with sink(receiver.url(login="shop:hidden-password@")) as out:
        answers = dict(
            zip([*receiver.answers, "fine"], out.publish([event(n) for n in [*receiver.answers, "fine"]]), strict=True)
        )
    assert answers.pop("fine") is None
    kinds = {name: (type(one), getattr(one, "counts", None)) for name, one in answers.items()}
    assert kinds == {
        "busy": (Later, False),
        "failing": (Later, True),
        "login": (Later, True),
        "moved": (Later, True),
        "large": (Never, None),
        "wrong": (Never, None),
    }
    assert getattr(answers["busy"], "after", None) == 7
    for one in answers.values():
        assert one is not None
        assert "hidden" not in one.reason
        assert "\n" not in one.reason


def test_a_receiver_that_is_not_there_counts_nothing(receiver: Receiver) -> None:
    url = receiver.url()
    receiver.server_close()
    (answer,) = sink(url).publish([event("x")])
    assert isinstance(answer, Later)
    assert (answer.counts, "cannot be reached" in answer.reason) == (False, True)


def test_a_receiver_that_drips_holds_a_wave_for_one_timeout_and_not_for_one_each() -> None:
    dripped = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Slow: yes\r\n\r\n"
    with (
        dripping_port(b"", dripped, heard=b"e") as port,
        sink(f"http://127.0.0.1:{port}/#timeout=0.3&together=2") as out,
    ):
        answers = out.publish([event(f"e{number}") for number in range(200)])
    assert {getattr(one, "reason", None) for one in answers} == {
        f"http://127.0.0.1:{port}/ does not answer within 0.3 s"
    }
    assert {getattr(one, "counts", None) for one in answers} == {False}


def test_one_event_that_the_receiver_cannot_bear_does_not_stop_the_others(receiver: Receiver) -> None:
    receiver.answers = {"bad": (0, {})}
    with sink(receiver.url("/#together=2")) as out:
        answers = out.publish([event(name) for name in ["bad", *(f"e{number}" for number in range(20))]])
    assert isinstance(answers[0], Later)
    assert answers[1:] == [None] * 20


def test_a_server_without_tls_is_said(receiver: Receiver) -> None:
    (answer,) = sink(receiver.url(scheme="https")).publish([event("x")])
    assert isinstance(answer, Later)
    assert "no TLS connection" in answer.reason


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_certificate_is_trusted_only_where_it_is_named(receiver: Receiver, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, *named, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    (answer,) = sink(receiver.url(scheme="https")).publish([event("x")])
    assert isinstance(answer, Later)
    assert "not trusted" in answer.reason
    with sink(receiver.url(f"/hook#ca={cert}", scheme="https")) as out:
        assert out.publish([event("x")]) == [None]
