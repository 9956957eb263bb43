"""Mailboxes, mail servers and webhooks: from text to values, and nothing else through."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstate.addresses import Mailbox, MailServer, mailbox, nearby, webhook
from orderstate.errors import InvalidInput
from orderstate.settings import Notify, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@example.org", Mailbox("ada@example.org")),
        ("  Ada Lovelace  <ada@example.org> ", Mailbox("ada@example.org", "Ada Lovelace")),
        ('"Lovelace, Ada" <a.b+c@x-y.example.org>', Mailbox("a.b+c@x-y.example.org", "Lovelace, Ada")),
        ("<ada@localhost>", Mailbox("ada@localhost")),
        ("jörg@bücher.example", Mailbox("jörg@bücher.example")),
    ],
)
def test_a_mailbox_is_an_address_with_or_without_a_name(text: str, expected: Mailbox) -> None:
    assert mailbox("contact", text) == expected
    assert mailbox("contact", str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "ada", "@example.org", "ada@", "a b@example.org", "ada@exa mple.org", "ada@-x.org", "ada@x..org",
        ".ada@x.org", "a..b@x.org", "ada@x.org, eve@x.org", "ada@x.org\nBcc: eve@x.org", "A <ada@x.org", "a@b@c.org",
        "Ada <ada@x.org> <eve@x.org>", '"a b"@x.org', "ada@[127.0.0.1]", "x" * 65 + "@x.org", "a@" + "x" * 64 + ".org",
        "a@" + "x." * 130 + "org", "ada\u202e@x.org", "ada@x.org\x00", "+49 170 1234567", "eve@x.org <ada@x.org>",
    ],
)  # fmt: skip
def test_what_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        mailbox("contact", text)
    assert raised.value.values["field"] == "contact"


@given(st.text(max_size=80))
def test_any_text_is_a_mailbox_on_one_line_or_refused(text: str) -> None:
    try:
        found = mailbox("contact", text)
    except InvalidInput:
        return
    assert str(found).isprintable()
    assert found.address.count("@") == 1
    assert not set(found.address) & set(' <>,;:"\\')


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("smtp://mail.example.org", "smtp://mail.example.org:587?tls=starttls"),
        ("smtps://mail.example.org", "smtp://mail.example.org:465?tls=tls"),
        ("smtp://MAIL.example.org:2525/?tls=tls", "smtp://mail.example.org:2525?tls=tls"),
        ("smtp://localhost?tls=none", "smtp://localhost:25?tls=none"),
        ("smtp://ada%40x.org@h.org?timeout=5", "smtp://ada%40x.org@h.org:587?tls=starttls&timeout=5"),
        ("smtp://[::1]:25?tls=none", "smtp://[::1]:25?tls=none"),
        ("smtp://u@10.0.0.7?tls=none", "smtp://u@10.0.0.7:25?tls=none"),
        ("", ""),
    ],
)
def test_a_mail_server_is_kept_in_one_canonical_text(text: str, canonical: str) -> None:
    assert parse("notify.smtp", text) == canonical
    assert parse("notify.smtp", canonical) == canonical


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mail.example.org", "is not a mail server"),
        ("http://mail.example.org", "is not a mail server"),
        ("smtp://", "is not a mail server"),
        ("smtp://h:0", "is not a mail server"),
        ("smtp://h:70000", "is not a mail server"),
        ("smtp://h/inbox", "is not a mail server"),
        ("smtp://h?ssl=1", "is not a mail server"),
        ("smtp://h\nx", "is not a mail server"),
        ("smtp://ex ample.org", "is not a mail server"),
        ("smtp://u%0Ax@h", "is not a mail server"),
        ("smtp://[::1", "is not a mail server"),
        ("smtp://h?tls=maybe", "tls is starttls, tls or none"),
        ("smtps://h?tls=none", "tls is starttls, tls or none"),
        ("smtp://h?timeout=0", "timeout is 1 to 60 seconds"),
        ("smtp://h?timeout=1e3", "timeout is 1 to 60 seconds"),
        ("smtp://u@mail.example.org?tls=none", "logged in to over tls=starttls or tls=tls"),
    ],
)
def test_what_is_no_mail_server_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as raised:
        parse("notify.smtp", text)
    assert raised.value.values["field"] == "notify.smtp"


def test_a_password_in_a_setting_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse("notify.smtp", "smtp://user:hunter2@mail.example.org")
    assert "hunter2" not in str(raised.value.document())
    assert raised.value.hint == "give the password in the environment, as ORDERSTATE_SMTP_PASSWORD"
    with pytest.raises(InvalidInput) as raised:
        parse("notify.webhook", "https://user:hunter2@example.org/hook")
    assert "hunter2" not in str(raised.value.document())


@pytest.mark.parametrize(
    "text", ["https://example.org/hook?shop=7", "http://localhost:8080/x", "http://notifier", "http://10.1.2.3/"]
)
def test_a_webhook_is_https_or_nearby(text: str) -> None:
    assert webhook("notify.webhook", f" {text} ") == text == parse("notify.webhook", text)


@pytest.mark.parametrize(
    "text",
    [
        "example.org", "ftp://example.org", "http://example.org/", "https://", "https://example.org/#x",
        "https://exa mple.org", "https://example.org/\r\nX: y", "https://bücher.example/", "http://8.8.8.8/",
    ],
)  # fmt: skip
def test_what_is_no_webhook_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse("notify.webhook", text)
    assert raised.value.values["field"] == "notify.webhook"


def test_what_is_not_reached_over_the_public_network_is_nearby() -> None:
    near = ["localhost", "mailhog", "127.0.0.1", "::1", "192.168.1.2", "fd00::1", "mail.internal", "box.local"]
    assert [host for host in near if not nearby(host)] == []
    assert [host for host in ("example.org", "8.8.8.8", "2001:4860::1", "local.example.org") if nearby(host)] == []


@pytest.mark.parametrize(
    ("key", "text", "canonical"),
    [
        ("notify.channel", " SMTP, file,smtp ", "file,smtp"),
        ("notify.channel", "", ""),
        ("notify.from", "Mug Shop  <o@x.org>", "Mug Shop <o@x.org>"),
        ("notify.folder", " /var/mails ", "/var/mails"),
        ("notify.templates", "", ""),
    ],
)
def test_the_settings_of_notifications_are_kept_in_canonical_text(key: str, text: str, canonical: str) -> None:
    assert parse(key, text) == canonical
    assert parse(key, canonical) == canonical


@pytest.mark.parametrize(
    ("key", "text"), [("notify.channel", "pigeon"), ("notify.from", "me"), ("notify.folder", "a\nb")]
)
def test_a_setting_of_notifications_that_cannot_be_used_names_itself(key: str, text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse(key, text)
    assert raised.value.values["field"] == key


def test_the_settings_of_notifications_become_values() -> None:
    assert Notify.read({}) == Notify(("console",))
    found = Notify.read({"notify.smtp": "smtp://h.org:25?tls=none", "notify.from": "o@x.org", "notify.folder": "out"})
    assert found == Notify(("console",), None, Mailbox("o@x.org"), MailServer("h.org", 25, "none"), None, "out")


def test_commands_that_tell_nobody_do_not_load_addresses() -> None:
    code = """
from orderstate.settings import SETTINGS, Settings, Notify
Settings.read({"notify.smtp": "smtp://h.org", "notify.from": "broken"}), list(SETTINGS)
Notify.read({})
import sys
print(" ".join(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "orderstate.settings" in done.stdout
    assert set(done.stdout.split()).isdisjoint({"orderstate.addresses", "urllib.parse", "ipaddress"})
