"""The channel `smtp` against real mail servers on the loopback."""

from __future__ import annotations

import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from mail_servers import PASSWORD, SHOP, USER, Running, certificate, dripping_port, free_port, mail_server, mute_port
from notices import message

from orderstate.addresses import MailServer
from orderstate.events.notify.smtp import Smtp
from orderstate.events.outcomes import Later, Never

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
"""aiosmtpd warns of a login in the clear, which only goes over the loopback here."""

Certified = tuple[Path, ssl.SSLContext]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A certificate for the loopback and the server's side of it."""
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certified: Certified, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side of a certificate that this process trusts, as a person would make it: by SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certified[0]))
    return certified[1]


def taken(server: Running) -> EmailMessage:
    """The last mail that the server took."""
    content = server.mails[-1].content
    assert isinstance(content, bytes)
    found = message_from_bytes(content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def failure(channel: Smtp, **more: object) -> Later | Never:
    """What sending came to."""
    with pytest.raises((Later, Never)) as raised:
        channel.send(message(**more))  # type: ignore[arg-type]  # fields of a notice, as the test names them
    channel.close()
    assert isinstance(raised.value, Later | Never)
    assert "\n" not in raised.value.reason
    return raised.value


def test_a_mail_arrives_with_text_html_and_all_its_headers() -> None:
    with mail_server() as server:
        channel = server.channel()
        sent = message()
        channel.send(sent)
        channel.close()
        (envelope,) = server.mails
        assert (envelope.mail_from, envelope.rcpt_tos) == ("orders@shop.example", ["ada@example.org"])
        mail = taken(server)
        assert mail["From"] == "Mug Shop <orders@shop.example>"
        assert mail["To"] == "Ada Lovelace <ada@example.org>"
        assert mail["Subject"] == sent.subject
        assert mail["Message-ID"] == sent.message_id
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Date"] == "Thu, 01 Jan 2026 12:00:00 +0000"
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        assert text.get_content().replace("\r\n", "\n") == sent.text
        assert html.get_content().replace("\r\n", "\n") == sent.html


def test_a_repeat_is_the_same_mail_to_the_byte() -> None:
    with mail_server() as server:
        for _ in range(2):  # two processes, as it were
            channel = server.channel()
            channel.send(message())
            channel.close()
        first, second = (envelope.content for envelope in server.mails)
        assert first == second


def test_many_mails_share_one_connection_and_a_lost_one_is_made_again() -> None:
    with mail_server() as server:
        channel = server.channel()
        for order in ("1001", "1002"):
            channel.send(message(id=order))
        assert len(server.handler.sessions) == 1
        assert channel._client is not None
        channel._client.docmd("QUIT")  # the server hangs up while nobody looks
        channel.send(message(id="1003"))
        channel.close()
        channel.close()
        assert len(server.mails) == 3


def test_an_order_without_a_contact_has_nobody_to_tell() -> None:
    channel = Smtp(MailServer("127.0.0.1", free_port()), SHOP)
    channel.send(message(contact=None))  # no connection is even tried
    assert channel._client is None


def test_a_contact_that_is_no_mail_address_is_parked_and_not_repeated_in_the_reason() -> None:
    found = failure(Smtp(MailServer("127.0.0.1", free_port()), SHOP), contact="+49 170 1234567")
    assert isinstance(found, Never)
    assert found.reason == "the contact of order 1001 is no mail address"


# TLS and login


def test_starttls_with_a_login(trusted: ssl.SSLContext) -> None:
    with mail_server(starttls=trusted, login=True) as server:
        channel = server.channel("starttls", USER, PASSWORD)
        channel.send(message())
        channel.close()
        assert len(server.mails) == 1


def test_tls_from_the_first_byte(trusted: ssl.SSLContext) -> None:
    with mail_server(tls=trusted) as server:
        channel = server.channel("tls")
        channel.send(message())
        channel.close()
        assert len(server.mails) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_not_taken(certified: Certified, tls: str) -> None:
    context = certified[1]
    with mail_server(**({"starttls": context} if tls == "starttls" else {"tls": context})) as server:  # type: ignore[arg-type]  # one of the two
        found = failure(server.channel(tls))
        assert isinstance(found, Later)
        assert not found.counts
        assert "a certificate that is not trusted: self-signed certificate" in found.reason
        assert server.mails == []


def test_a_server_without_starttls_gets_no_mail_in_the_clear() -> None:
    with mail_server() as server:
        found = failure(server.channel("starttls"))
        assert isinstance(found, Later)
        assert not found.counts
        assert "offers no STARTTLS" in found.reason
        assert server.mails == []


def test_tls_to_a_server_that_speaks_plain_text_says_what_may_be_meant() -> None:
    with mail_server() as server:
        found = failure(server.channel("tls"))
        assert isinstance(found, Later)
        assert not found.counts
        assert "(is tls=starttls meant?)" in found.reason


def test_a_wrong_password_waits_for_a_person_and_is_not_shown() -> None:
    with mail_server(login=True) as server:
        found = failure(server.channel(user=USER, password="battery staple"))
        assert isinstance(found, Later)
        assert not found.counts
        assert found.after == 60
        assert found.reason == (
            f"the mail server 127.0.0.1:{server.port} refuses the login of 'mailer' (535): "
            "mend ORDERSTATE_SMTP_PASSWORD or the setting notify.smtp"
        )


def test_a_server_that_wants_a_login_says_so_and_none_is_parked() -> None:
    with mail_server(login=True) as server:
        found = failure(server.channel())
        assert isinstance(found, Later)
        assert not found.counts
        assert "(530)" in found.reason


def test_a_login_that_the_server_does_not_know_is_one_clear_line() -> None:
    with mail_server() as server:
        found = failure(server.channel(user=USER, password=PASSWORD))
        assert isinstance(found, Later)
        assert not found.counts
        assert "AUTH" in found.reason


# What servers answer


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "kind", "counts"),
    [("451 try later", Later, True), ("421 closing", Later, False), ("550 never heard of", Never, None)],
)
def test_what_the_server_answers_decides(step: str, answer: str, kind: type, counts: bool | None) -> None:
    with mail_server({step: answer}) as server:
        found = failure(server.channel())
        assert type(found) is kind
        assert getattr(found, "counts", None) is counts
        assert answer[:3] in found.reason
        assert answer[4:] in found.reason
        assert "1001" in found.reason


def test_the_contact_is_kept_out_of_what_the_server_said() -> None:
    with mail_server({"RCPT": "550 <{address}> is unknown here"}) as server:
        found = failure(server.channel())
        assert "<(the contact)> is unknown here" in found.reason
        assert "ada@" not in found.reason


@pytest.mark.parametrize(
    "answer",
    ["451 user ada greylisted", '451 "ada"@example.org greylisted', "451-first ada@exa\r\n451 mple.org greylisted"],
)
def test_a_part_of_the_contact_is_kept_out_too(answer: str) -> None:
    with mail_server({"RCPT": answer}) as server:
        reason = failure(server.channel()).reason
    assert "(the contact) greylisted" in reason
    assert "ada" not in reason


def test_a_mail_that_is_too_large_is_parked() -> None:
    with mail_server(most=500) as server:
        found = failure(server.channel())
        assert isinstance(found, Never)
        assert "(552)" in found.reason


def test_after_a_refusal_the_channel_goes_on() -> None:
    with mail_server() as server:
        channel = server.channel()
        server.handler.answers["RCPT"] = "550 no"
        with pytest.raises(Never):
            channel.send(message())
        server.handler.answers.clear()
        channel.send(message(id="1002"))
        channel.close()
        assert len(server.mails) == 1


# Silence


def test_nobody_there_counts_no_attempt() -> None:
    found = failure(Smtp(MailServer("127.0.0.1", free_port(), "none"), SHOP))
    assert isinstance(found, Later)
    assert not found.counts
    assert found.reason.endswith("cannot be reached: Connection refused")


def test_a_name_that_nobody_knows_counts_no_attempt() -> None:
    found = failure(Smtp(MailServer("mail.invalid", 25, "none"), SHOP))
    assert isinstance(found, Later)
    assert not found.counts
    assert "mail.invalid:25 cannot be reached" in found.reason


def test_a_server_that_says_nothing_counts_no_attempt() -> None:
    with mute_port() as port:
        found = failure(Smtp(MailServer("127.0.0.1", port, "none", timeout=0.05), SHOP))
        assert isinstance(found, Later)
        assert not found.counts
        assert "does not answer within 0.05 s" in found.reason


def test_a_server_that_is_silent_after_the_mail_counts_for_it_may_have_taken_it() -> None:
    with mail_server({"DATA": ""}) as server:
        found = failure(server.channel(timeout=0.3))
        assert isinstance(found, Later)
        assert found.counts
        assert "it may have taken it" in found.reason


def test_a_server_that_greets_a_byte_at_a_time_is_left_when_its_time_is_over() -> None:
    with dripping_port(b"220 mail.test hello\r\n" * 10) as port:
        found = failure(Smtp(MailServer("127.0.0.1", port, "none", timeout=0.3), SHOP))
        assert isinstance(found, Later)
        assert not found.counts
        assert "does not answer within 0.3 s" in found.reason


def test_a_server_that_goes_on_saying_hello_is_left_when_its_time_is_over(trusted: ssl.SSLContext) -> None:
    with dripping_port(b"220 mail.test\r\n", b"250-mail.test\r\n" * 50, tls=trusted) as port:
        found = failure(Smtp(MailServer("127.0.0.1", port, "tls", timeout=0.5), SHOP))
        assert isinstance(found, Later)
        assert not found.counts
        assert "does not answer within 0.5 s" in found.reason


def test_a_server_that_drips_its_answer_to_the_mail_counts() -> None:
    says = [b"220 mail.test\r\n", b"250 mail.test\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
    with dripping_port(*says, b"250 taken, after all that you may want to know\r\n") as port:
        found = failure(Smtp(MailServer("127.0.0.1", port, "none", timeout=0.3), SHOP))
        assert isinstance(found, Later)
        assert found.counts
        assert "does not answer within 0.3 s; it may have taken it" in found.reason


# Letters of the world


def test_a_domain_outside_ascii_goes_out_in_its_ascii_form() -> None:
    with mail_server(utf8=False) as server:
        channel = server.channel()
        channel.send(message(contact="Jörg <joerg@bücher.example>"))
        channel.close()
        assert server.mails[0].rcpt_tos == ["joerg@xn--bcher-kva.example"]
        assert taken(server)["To"] == "Jörg <joerg@xn--bcher-kva.example>"


def test_an_address_outside_ascii_needs_a_server_that_takes_it() -> None:
    with mail_server() as server:
        channel = server.channel()
        channel.send(message(contact="jörg@example.org"))
        channel.close()
        assert server.mails[0].rcpt_tos == ["jörg@example.org"]
        assert taken(server)["To"] == "jörg@example.org"
    with mail_server(utf8=False) as server:
        found = failure(server.channel(), contact="jörg@example.org")
        assert isinstance(found, Never)
        assert "letters outside ASCII" in found.reason
        assert "jörg" not in found.reason


def test_long_lines_and_leading_dots_arrive_as_they_were() -> None:
    with mail_server(utf8=False) as server:
        channel = server.channel()
        sent = message(lines=())
        body = ".\n..\nFrom here\n" + "x" * 5_000 + "\nZwölf Boxkämpfer jagen Viktor quer über den Sylter Deich\n"
        sent = type(sent)(**{f: getattr(sent, f) for f in sent.__slots__} | {"text": body})
        channel.send(sent)
        channel.close()
        raw = server.mails[0].content
        assert isinstance(raw, bytes)
        assert raw.isascii()
        assert max(map(len, raw.split(b"\r\n"))) <= 78
        found = taken(server).get_body(("plain",))
        assert found is not None
        assert found.get_content().replace("\r\n", "\n") == body
