"""The channel `webhook` against real servers on the loopback; the package `standardwebhooks` checks the signatures."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from mail_servers import certificate, dripping_port, free_port, mute_port
from notices import ADA, message

from orderstate.errors import InvalidInput
from orderstate.events.notify.masking import without_contact
from orderstate.events.notify.webhook import Webhook, document, secrets, signature
from orderstate.events.outcomes import Later, Never

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(b"x" * 24).decode()


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it gets and answers as it was told, the last answer for ever."""

    protocol_version = "HTTP/1.1"
    got: list[tuple[str, dict[str, str], bytes, int]]
    answers: list[tuple[int, dict[str, str], bytes]]
    hang_up: bool

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, dict(self.headers), body, self.client_address[1]))
        status, headers, said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(said)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)
        if self.hang_up:
            self.close_connection = True  # without having said so

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


class Running:
    """A receiver that runs."""

    def __init__(self, url: str, handler: type[Receiver]) -> None:
        self.url = url
        self.handler = handler

    @property
    def got(self) -> list[tuple[str, dict[str, str], bytes, int]]:
        """(path, headers, body, port that it came from), oldest first."""
        return self.handler.got

    def channel(self, path: str = "/hooks?shop=7", timeout: float = 10) -> Webhook:
        """A channel that posts to it."""
        return Webhook(self.url + path, secrets(SECRET), timeout=timeout)


@contextmanager
def receiver(
    *answers: tuple[int, dict[str, str], bytes], tls: ssl.SSLContext | None = None, hang_up: bool = False
) -> Iterator[Running]:
    """A receiver on a free port of the loopback; status 0 hangs up."""
    given = list(answers) or [(204, {}, b"")]
    handler = type("Handler", (Receiver,), {"got": [], "answers": given, "hang_up": hang_up})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Running(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}", handler)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def failure(channel: Webhook) -> Later | Never:
    """What sending came to."""
    with pytest.raises((Later, Never)) as raised:
        channel.send(message())
    channel.close()
    assert isinstance(raised.value, Later | Never)
    assert "\n" not in raised.value.reason
    return raised.value


def test_what_is_posted_is_signed_as_the_standard_says_and_whole() -> None:
    with receiver() as running:
        channel = running.channel()
        sent = message(contact=ADA, shop="Bücher & Co")
        channel.send(sent)
        channel.close()
        ((path, headers, body, _),) = running.got
    assert path == "/hooks?shop=7"
    assert headers["Content-Type"] == "application/json"
    found = standardwebhooks.Webhook(SECRET).verify(body, headers)
    assert headers["webhook-id"] == sent.webhook_id == sent.id
    assert found["specversion"] == "1.0"
    assert (found["id"], found["type"], found["subject"]) == ("1001:2", "InventoryTied", "1001")
    assert found["source"] + "/" + found["id"] == sent.id
    assert found["time"] == found["timestamp"] == "2026-01-01T12:00:00.000000Z"
    data = found["data"]
    assert (data["to"], data["subject"], data["text"], data["html"]) == (ADA, sent.subject, sent.text, sent.html)
    assert data["facts"]["lines"] == [{"sku": "CUP", "units": 1}, {"sku": "MUG", "units": 2}]
    assert data["facts"]["shop"] == "Bücher & Co"


def test_a_receiver_with_another_secret_sees_that_it_is_not_from_us() -> None:
    with receiver() as running:
        channel = running.channel()
        channel.send(message())
        channel.close()
        ((_, headers, body, _),) = running.got
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OTHER).verify(body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(body.replace(b"1001", b"1002"), headers)


def test_while_one_secret_replaces_another_both_are_signed_with() -> None:
    now = int(time())
    headers = {"webhook-id": "a/1:1", "webhook-timestamp": str(now)}
    headers["webhook-signature"] = signature(secrets(f"{SECRET} {OTHER}"), "a/1:1", now, b"{}")
    for secret in (SECRET, OTHER):
        assert standardwebhooks.Webhook(secret).verify(b"{}", headers) == {}


@given(st.binary(min_size=24, max_size=64), st.text(), st.integers(0, 2**33))
def test_every_signature_is_the_one_of_the_reference(key: bytes, body: str, at: int) -> None:
    from datetime import UTC, datetime

    secret = "whsec_" + base64.b64encode(key).decode()
    data = json.dumps(body)
    expected = standardwebhooks.Webhook(secret).sign("db/1:1", datetime.fromtimestamp(at, UTC), data)
    assert signature(secrets(secret), "db/1:1", at, data.encode()) == expected


def test_a_repeat_has_the_same_id_and_the_same_body() -> None:
    with receiver((500, {}, b""), (204, {}, b"")) as running:
        channel = running.channel()
        with pytest.raises(Later):
            channel.send(message())
        channel.send(message())
        channel.close()
        first, second = running.got
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert first[2] == second[2]


def test_an_id_with_dots_leaves_no_doubt_about_what_was_signed() -> None:
    made = message(id="a.1767268800.b")
    assert "." in made.id
    assert made.webhook_id.endswith("/a%2E1767268800%2Eb:2")
    assert document(made)["subject"] == "a.1767268800.b"


def test_one_connection_serves_many_and_a_lost_one_is_made_again() -> None:
    with receiver() as running:
        channel = running.channel()
        for order in ("1001", "1002"):
            channel.send(message(id=order))
        channel.close()
        assert len({port for *_, port in running.got}) == 1
    with receiver(hang_up=True) as running:
        channel = running.channel()
        for order in ("1001", "1002", "1003"):
            channel.send(message(id=order))
        channel.close()
        assert len(running.got) == 3
        assert len({port for *_, port in running.got}) == 3


# What receivers answer


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_answer_in_the_two_hundreds_is_done(status: int) -> None:
    with receiver((status, {}, b"")) as running:
        channel = running.channel()
        channel.send(message())
        channel.close()
        assert len(running.got) == 1


@pytest.mark.parametrize(
    ("status", "kind", "counts"),
    [
        (400, Never, None), (401, Never, None), (403, Never, None), (404, Never, None), (410, Never, None),
        (413, Never, None), (422, Never, None),
        (408, Later, True), (409, Later, True), (425, Later, True), (429, Later, False),
        (500, Later, True), (502, Later, True), (503, Later, False), (504, Later, True),
    ],
)  # fmt: skip
def test_what_the_receiver_answers_decides(status: int, kind: type, counts: bool | None) -> None:
    with receiver((status, {}, f"no\nuse, {ADA}".encode())) as running:
        found = failure(running.channel())
    assert type(found) is kind
    assert getattr(found, "counts", None) is counts
    assert found.reason == f"the webhook {running.url} answers {status} to order 1001: no use, (the contact)"


@pytest.mark.parametrize(
    "said",
    [
        "no such user ADA@Example.ORG here",
        "https://x.example/?to=ada%40example.org&x=1",
        "to=%41da%20Lovelace%20%3cada%40EXAMPLE%2eorg%3e",
        "dear ada lovelace, no",
        "to%20Ada+Lovelace%20there",
        '{"to": "\\u0041da Lovelace"}',
        "x" * 190 + " ada@example.org",
        "user ada greylisted",
        '"ada"@example.org greylisted',
        "ada at example.org, <ada [at] Example.org>",
        "bounce-ada=example.org@lists.example",
        "To: =?utf-8?b?QWRhIExvdmVsYWNlIDxhZGFAZXhhbXBsZS5vcmc+?=",
        "To: =?utf-8?q?Ada_Lovelace?= and =?utf-8?b?QWRhIExvdmVsYWNl",
        "Ada=20Lovelace =3Cada=40example=2Eorg=3E",
        "&#65;da Lovelace ada&#64;example.org ada&#x40;example.org",
        "body: " + base64.b64encode(b"To: Ada Lovelace <ada@example.org>").decode(),
        "Lovelace's box is full",
    ],
)
@pytest.mark.parametrize("status", [404, 500])
def test_however_a_receiver_quotes_the_contact_it_is_not_kept(said: str, status: int) -> None:
    with receiver((status, {}, said.encode())) as running:
        reason = failure(running.channel()).reason
    assert "(the" in reason
    assert not re.search(r"lovelace|\bada\b|example(.|%2e)org|QWRh|bG92|TG92", reason, re.IGNORECASE)


def test_a_short_name_is_masked_as_a_word_and_not_within_words() -> None:
    sent = message(contact="Bo <b@example.org>")
    assert without_contact("both elbows of bo, BO%2C and %20Bo", sent) == (
        "both elbows of (the contact), (the contact)%2C and %20(the contact)"
    )
    umlaut = message(contact="Jürgen <j@example.org>")
    assert without_contact("j%C3%BCrgen JÜRGEN J\\u00fcrgen", umlaut) == " ".join(["(the contact)"] * 3)
    user = message(contact="ann.lee+shop@example.org")
    assert without_contact("451 user ann.lee greylisted, planned.leek", user) == (
        "451 user (the contact) greylisted, planned.leek"
    )
    assert without_contact("first ann.l\nee+shop@exam\nple.org", user) == "first (the contact)"
    assert without_contact("the domain example.org is unknown", user) == "the domain example.org is unknown"
    phone = message(contact="+49 170 1")
    assert without_contact("call %2B49+170%201", phone) == "call (the contact)"
    assert without_contact("as it is", message(contact=None)) == "as it is"


def test_a_redirection_to_the_contact_does_not_keep_it() -> None:
    with receiver((302, {"Location": "/to/ada%40example.org"}, b"")) as running:
        assert "a redirection to /to/(the contact) is not followed" in failure(running.channel()).reason


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_told_and_not_followed(status: int) -> None:
    with receiver() as other, receiver((status, {"Location": f"{other.url}/elsewhere"}, b"")) as running:
        found = failure(running.channel())
        assert isinstance(found, Later)
        assert f"a redirection to {other.url}/elsewhere is not followed; set notify.webhook" in found.reason
        assert (len(running.got), len(other.got)) == (1, 0)


@pytest.mark.parametrize(
    ("header", "after"),
    [("120", 120.0), (" 0 ", 0.0), ("999999999999", 86_400.0), ("-5", None), ("soon", None), ("", None)],
)
@pytest.mark.parametrize("status", [429, 503, 500])
def test_retry_after_is_respected(status: int, header: str, after: float | None) -> None:
    with receiver((status, {"Retry-After": header}, b"")) as running:
        found = failure(running.channel())
        assert isinstance(found, Later)
        assert found.after == after


def test_retry_after_may_be_a_date() -> None:
    for seconds, after in ((90, 90.0), (-90, 0.0)):
        with receiver((503, {"Retry-After": formatdate(1_800_000_000 + seconds, usegmt=True)}, b"")) as running:
            channel = Webhook(running.url, secrets(SECRET), clock=lambda: 1_800_000_000.0)
            found = failure(channel)
            assert isinstance(found, Later)
            assert found.after == after


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with receiver((400, {"Content-Length": "99999999999"}, b"x" * 200_000)) as running:
        found = failure(running.channel(timeout=2))
        assert isinstance(found, Never)
        assert len(found.reason) <= 500


# Silence


def test_nobody_there_counts_no_attempt() -> None:
    found = failure(Webhook(f"http://127.0.0.1:{free_port()}/secret-path", secrets(SECRET)))
    assert isinstance(found, Later)
    assert not found.counts
    assert "cannot be reached: Connection refused" in found.reason
    assert "secret-path" not in found.reason


def test_a_name_that_nobody_knows_counts_no_attempt() -> None:
    found = failure(Webhook("https://hooks.invalid/x", secrets(SECRET)))
    assert isinstance(found, Later)
    assert not found.counts


def test_a_receiver_that_says_nothing_counts_for_it_may_have_worked() -> None:
    with mute_port() as port:
        found = failure(Webhook(f"http://127.0.0.1:{port}", secrets(SECRET), timeout=0.05))
        assert isinstance(found, Later)
        assert found.counts
        assert "does not answer within 0.05 s" in found.reason


def test_a_receiver_that_hangs_up_is_tried_later() -> None:
    with receiver((0, {}, b"")) as running:
        found = failure(running.channel())
        assert isinstance(found, Later)
        assert "hangs up without an answer" in found.reason
        assert len(running.got) == 1


def test_what_speaks_no_http_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def babble() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(65_536)
                client.sendall(b"220 mail.example.org ESMTP\r\n")

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        found = failure(Webhook(f"http://127.0.0.1:{listening.getsockname()[1]}", secrets(SECRET)))
        thread.join(10)
    assert isinstance(found, Later)
    assert "BadStatusLine" in found.reason


SLOW = {
    "its headers": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Slow: yes\r\n\r\n",
    "its body": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b"x" * 20,
    "its body to the end": b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 20,
}


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("what", SLOW)
def test_a_receiver_that_drips_its_answer_is_left_when_its_time_is_over(
    what: str, secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = None
    if secure:
        certified, context = certificate(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    with dripping_port(b"", SLOW[what], tls=context, heard=b"}") as port:
        url = f"http{'s' if secure else ''}://127.0.0.1:{port}"
        found = failure(Webhook(url, secrets(SECRET), timeout=0.3))
    assert isinstance(found, Later)
    assert found.counts
    assert "does not answer within 0.3 s" in found.reason


def test_a_receiver_that_never_ends_its_handshake_counts_no_attempt() -> None:
    with mute_port() as port:
        found = failure(Webhook(f"https://127.0.0.1:{port}", secrets(SECRET), timeout=0.1))
    assert isinstance(found, Later)
    assert not found.counts
    assert "does not answer within 0.1 s" in found.reason


# TLS and secrets


def test_https_is_checked_against_what_the_system_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certified, context = certificate(tmp_path)
    with receiver(tls=context) as running:
        found = failure(running.channel())
        assert isinstance(found, Later)
        assert not found.counts
        assert "a certificate that is not trusted" in found.reason
        monkeypatch.setenv("SSL_CERT_FILE", str(certified))
        channel = running.channel()
        channel.send(message())
        channel.close()
        assert len(running.got) == 1


@pytest.mark.parametrize(
    "text", ["x", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", SECRET[6:], f"{SECRET} nonsense", "whsec_" + "A" * 100]
)
def test_a_secret_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        secrets(text)
    assert raised.value.values["field"] == "ORDERSTATE_WEBHOOK_SECRET"
    assert all(word not in raised.value.sentence for word in text.split() if word != "whsec_" and len(word) > 1)


def test_a_message_without_contact_and_html_is_posted_too() -> None:
    body = document(replace(message(contact=None), html=None))
    data = body["data"]
    assert isinstance(data, dict)
    assert data["to"] is None
    assert data["html"] is None
