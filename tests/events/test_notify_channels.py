"""Channels: mails as bytes, the folder, the console, several at once, and what the settings open."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from notices import message, notice

from orderstate.addresses import Mailbox, MailServer, mailbox
from orderstate.errors import InvalidInput
from orderstate.events.notify import Channels, Message, open_channels, tell
from orderstate.events.notify.local import Console, Folder
from orderstate.events.notify.mail import content, mail, recipient
from orderstate.events.notify.quiet import no_console
from orderstate.events.outcomes import Later, Never, one_line
from orderstate.settings import Notify

SHOP = Mailbox("orders@shop.example", "Mug Shop")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEADERS = ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "X-Orderstate-Event", "MIME-Version"]


def read(data: bytes) -> EmailMessage:
    """A mail as its receiver reads it."""
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


# Mails


text = st.text(max_size=300) | st.sampled_from(
    ["x\r\nBcc: evil@example.org", "a\r\n\r\n<b>", "=?utf-8?q?=0ABcc=3A?=", "=??Q?=0A"]
)
names = st.text(max_size=80) | st.sampled_from(
    ['"; DROP', "Müller, Max", "a" * 80, "=?utf-8?b?Cg==?=", "x\nBcc: y@z.org"]
)


@given(subject=text, body=text, html=text)
def test_nothing_in_a_message_adds_a_header_or_a_part(subject: str, body: str, html: str) -> None:
    made = mail(replace(message(), subject=subject, text=body, html=html), SHOP, Mailbox("ada@example.org"))
    data = content(made)
    found = read(data)
    assert sorted(found.keys()) == sorted([*HEADERS, "Content-Type"])
    assert found["To"] == "ada@example.org"
    assert [part.get_content_type() for part in found.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert data.isascii()
    for kind, expected in (("plain", body), ("html", html)):
        part = found.get_body((kind,))
        assert part is not None
        assert part.get_content().split() == expected.split()


@given(st.lists(st.text("abcÄöß漢字🎁.,:!?'()", min_size=1, max_size=30), min_size=1, max_size=6).map(" ".join))
def test_a_subject_arrives_as_it_was_written(subject: str) -> None:
    data = content(mail(replace(message(), subject=subject), SHOP, None))
    assert read(data)["Subject"] == subject
    assert max(map(len, data.split(b"\r\n"))) <= 78


@given(name=names, local=st.from_regex(r"[a-z0-9+_.-]{1,20}", fullmatch=True))
def test_a_contact_is_one_receiver_or_none(name: str, local: str) -> None:
    try:
        box = mailbox("contact", f"{name} <{local}@example.org>")
    except InvalidInput:
        assume(False)
        raise
    assert box.address == f"{local}@example.org"
    found = read(content(mail(message(), SHOP, box)))
    (address,) = found["To"].addresses
    assert address.addr_spec == box.address
    shown = "".join(c if c.isalnum() or c in " .'’-_&+!/" else " " for c in box.name)
    # Python's reader leaves a blank between the encoded words of a long name, which RFC 2047 (6.2) says to ignore.
    written = " ".join(shown.split())[:60].strip()
    assert address.display_name.replace(" ", "") == written.replace(" ", "")
    assert found["Bcc"] is None
    assert found["Cc"] is None


@given(st.text(max_size=80))
def test_any_contact_at_all_makes_a_mail_with_the_headers_that_it_should_have(contact: str) -> None:
    told = replace(message(), to=contact)
    to = recipient(told)
    found = read(content(mail(told, SHOP, to), utf8=True))
    kept = [h for h in HEADERS if h != "To"] + (["To"] if to else ["X-Orderstate-Contact"])
    assert sorted(found.keys()) == sorted([*kept, "Content-Type"])


def test_a_boundary_that_stands_in_the_text_is_not_taken() -> None:
    told = message()
    boundary = mail(told, SHOP, None).get_boundary()
    assert boundary is not None
    hostile = replace(told, text=f"--{boundary}\r\nContent-Type: text/html\r\n\r\n<b>")
    made = mail(hostile, SHOP, None)
    assert made.get_boundary() != boundary
    assert len(list(read(content(made)).walk())) == 3


def test_a_message_without_html_is_a_plain_mail() -> None:
    found = read(content(mail(replace(message(), html=None), None, None)))
    assert found.get_content_type() == "text/plain"
    assert found["From"] is None
    assert found["X-Orderstate-Contact"] == "Ada Lovelace <ada@example.org>"


# The folder


def test_the_folder_gets_a_mail_for_each_message_and_a_repeat_replaces_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "mails"
    channel = Folder(folder, SHOP)
    sent = message()
    channel.send(sent)
    before = (folder / f"{sent.file_name}.eml").read_bytes()
    channel.send(sent)
    channel.send(message(id="1002"))
    channel.close()
    assert len(list(folder.iterdir())) == 2
    assert (folder / f"{sent.file_name}.eml").read_bytes() == before
    found = read(before)
    assert found["Message-ID"] == sent.message_id
    assert found["To"] == "Ada Lovelace <ada@example.org>"


def test_a_folder_that_cannot_be_written_counts_no_attempt(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("a file", encoding="utf-8")
    with pytest.raises(Later, match=r"the folder .* cannot be written: File exists") as raised:
        Folder(tmp_path / "mails").send(message())
    assert not raised.value.counts


def test_a_write_that_fails_leaves_no_half_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Later, match="No space left on device"):
        Folder(tmp_path).send(message())
    assert list(tmp_path.iterdir()) == []


# The console


def test_the_console_tells_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    Console().send(message())
    shown = capsys.readouterr()
    assert shown.out == ""
    first, second, *_ = shown.err.splitlines()
    assert first == "1001:2 to Ada Lovelace <ada@example.org>: The goods of your order 1001 are set aside"
    assert second == "  Hello Ada Lovelace,"


def test_the_console_takes_no_orders_from_a_contact_and_survives_any_terminal() -> None:
    kept = io.BytesIO()
    stream = io.TextIOWrapper(kept, encoding="ascii")
    Console(stream).send(message(contact="\x1b[2JEve\nJörg"))
    shown = kept.getvalue().decode("ascii")
    assert shown.startswith("1001:2 to [2JEve J\\xf6rg: ")
    stream.close()
    with pytest.raises(Later, match="the console cannot be written"):
        Console(stream).send(message())


# Several


class Fake:
    """A channel that does as it is told, and keeps what it was sent."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.got: list[str] = []
        self.closed = False

    def send(self, message: Message) -> None:
        """Fail as told, or keep it."""
        if self.error is not None:
            raise self.error
        self.got.append(message.id)

    def close(self) -> None:
        """Say that it was closed."""
        self.closed = True


def test_later_stops_before_the_mail_and_never_does_not() -> None:
    first, last = Fake("webhook", Later("down", counts=False)), Fake("smtp")
    with pytest.raises(Later, match="down"):
        Channels([first, last]).send(message())
    assert last.got == []
    first.error = Never("gone")
    with pytest.raises(Never, match=r"^gone$"):
        Channels([first, last]).send(message())
    assert len(last.got) == 1
    last.error = Never("unknown address")
    with pytest.raises(Never, match=r"^gone; unknown address$"):
        Channels([first, last]).send(message())
    last.error = Later("busy")
    with pytest.raises(Later, match="busy"):
        Channels([first, last]).send(message())


def test_telling_renders_sends_and_closes() -> None:
    fake = Fake("console")
    with Channels([fake]) as channels:
        assert channels.name == "console"
        made = tell(notice(), channels)
        assert made is not None
        assert fake.got == [made.id]
        assert tell(notice("StockReceived"), channels) is None
        assert len(fake.got) == 1
    assert fake.closed


def test_a_notice_without_a_shop_is_from_the_one_that_writes() -> None:
    shop = open_channels(Notify.read({"notify.channel": "", "notify.from": "Cup & Co <o@shop.example>"}))
    for named, expected in (("", "Cup & Co"), ("Another", "Another")):
        made = tell(notice(shop=named), shop)
        assert made is not None
        assert f"\n{expected}\nOrder 1001" in made.text


def test_the_settings_open_the_channels_in_the_order_in_which_a_repeat_hurts_least(tmp_path: Path) -> None:
    rows = {
        "notify.channel": "smtp,console,webhook,file",
        "notify.from": "Mug Shop <orders@shop.example>",
        "notify.smtp": "smtp://mailer@mail.example.org",
        "notify.webhook": "https://example.org/hook",
        "notify.folder": "mails",
    }
    environment = {"ORDERSTATE_SMTP_PASSWORD": "x", "ORDERSTATE_WEBHOOK_SECRET": SECRET}
    with open_channels(Notify.read(rows), base=tmp_path, environment=environment) as channels:
        assert channels.name == "file, webhook, console, smtp"
        channels.each[0].send(message())
    assert len(list((tmp_path / "mails").iterdir())) == 1
    assert list(open_channels(Notify.read({"notify.channel": ""})).each) == []
    assert open_channels(Notify.read({})).name == "console"


def test_where_a_program_reads_stderr_the_console_is_left_out_and_that_is_said_once() -> None:
    said: list[str] = []
    both = Notify.read({"notify.channel": "console,file", "notify.folder": "sent"})
    with no_console(lambda: said.append("no console")):
        assert open_channels(Notify.read({"notify.channel": ""})).name == ""
        assert open_channels(Notify.read({}), stream=io.StringIO()).name == "console"
        assert said == []
        assert [open_channels(both).name for _ in range(3)] == ["file"] * 3
        assert said == ["no console"]
    assert open_channels(both).name == "file, console"


@pytest.mark.parametrize(
    ("rows", "environment", "field"),
    [
        ({"notify.channel": "smtp"}, {}, "notify.smtp"),
        ({"notify.channel": "smtp", "notify.smtp": "smtp://h"}, {}, "notify.from"),
        (
            {"notify.channel": "smtp", "notify.smtp": "smtp://u@h", "notify.from": "a@b.org"},
            {},
            "ORDERSTATE_SMTP_PASSWORD",
        ),
        (
            {"notify.channel": "smtp", "notify.smtp": "smtp://u@h", "notify.from": "a@b.org"},
            {"ORDERSTATE_SMTP_PASSWORD": "pässword"},
            "ORDERSTATE_SMTP_PASSWORD",
        ),
        ({"notify.channel": "webhook"}, {}, "notify.webhook"),
        ({"notify.channel": "webhook", "notify.webhook": "https://h.org"}, {}, "ORDERSTATE_WEBHOOK_SECRET"),
        ({"notify.channel": "file"}, {}, "notify.folder"),
    ],
)
def test_what_a_channel_lacks_is_named_before_anything_is_told(
    rows: dict[str, str], environment: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        open_channels(Notify.read(rows), environment=environment)
    assert raised.value.values["field"] == field
    assert "pässword" not in raised.value.sentence


def test_the_console_opens_no_network() -> None:
    import subprocess
    import sys

    code = (
        "from orderstate.events.notify import open_channels\nfrom orderstate.settings import Notify\n"
        "open_channels(Notify.read({}))\nimport sys\nprint(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "orderstate.events.notify.local" in done.stdout
    assert set(done.stdout.split()).isdisjoint({"smtplib", "http.client", "sqlite3", "orderstate.engine"})


# Outcomes and servers as values


@given(st.text(max_size=2_000))
def test_a_reason_is_one_line_that_steers_no_terminal(reason: str) -> None:
    for shown in (Later(reason).reason, Never(reason).reason, one_line(reason)):
        assert shown.isprintable()
        assert len(shown) <= 500
    assert str(Later(reason, 3.0, False)) == Later(reason).reason


def test_a_mail_server_as_a_value_reads_as_its_setting() -> None:
    assert str(MailServer("::1", 25, "none")) == "smtp://[::1]:25?tls=none"
