"""The channel `smtp`: a mail to the order's contact, over a connection that is kept from one message to the next.

What is wrong with the server as a whole (it is down, refuses the login, offers no TLS) counts no attempt; what is wrong
with one mail does. From the first byte of a mail on, silence counts too: the server may have taken it, and a customer
must not get the same mail for ever because the answer never comes.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress

from orderstate.addresses import STARTTLS, TLS, Mailbox, MailServer
from orderstate.events.notify.mail import ascii_address, content, mail, recipient
from orderstate.events.notify.masking import without_contact
from orderstate.events.notify.message import Message
from orderstate.events.notify.timed import TimedSmtp, TimedSmtpTls, timed, within
from orderstate.events.outcomes import Later, Never

_LOGIN = (530, 534, 535, 538)
"""Answers that ask for a login, or for another one (RFC 4954)."""

_GOODBYE = 2.0
"""Seconds that a server may take to say goodbye."""


class Smtp:
    """Sends mails. Not for several threads at once.

    `password` is for `server.user`. `server.timeout` is what connecting may take, with greeting, TLS and login, and
    what a mail may take, from its first command to the last answer. TLS certificates are checked against the system's
    authorities, or those that the environment names in SSL_CERT_FILE.
    """

    name = "smtp"

    def __init__(self, server: MailServer, sender: Mailbox, password: str = "") -> None:
        self._server = server
        self._sender = sender
        self._password = password
        self._where = f"the mail server {server.host}:{server.port}"
        self._client: smtplib.SMTP | None = None

    def send(self, message: Message) -> None:
        """Hand the mail over; an order without a contact has nobody to tell. Raises Later, Never."""
        if message.to is None:
            return
        to = recipient(message)
        if to is None:  # the contact itself must not be told: reasons are kept where it could not be erased
            raise Never(f"the contact of order {message.order} is no mail address")
        with within(self._server.timeout):
            client = self._connected()
        try:
            with within(self._server.timeout):
                self._hand_over(client, message, to)
        except BaseException:  # also Ctrl-C: half a conversation cannot be taken up again
            self._drop()
            raise

    def close(self) -> None:
        """Say goodbye. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError), within(_GOODBYE):
                client.quit()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # The connection

    def _connected(self) -> smtplib.SMTP:
        if self._client is not None and not self._alive(self._client):
            self._drop()
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _alive(self, client: smtplib.SMTP) -> bool:
        try:
            return client.noop()[0] == 250
        except OSError:
            return False

    def _connect(self) -> smtplib.SMTP:
        client: smtplib.SMTP | None = None
        try:
            client = self._reached()
            if self._server.tls == STARTTLS:
                client.starttls(context=timed(ssl.create_default_context()))
            client.ehlo_or_helo_if_needed()
            if self._server.user:
                client.login(self._server.user, self._password)
        except OSError as error:  # smtplib's errors are OSErrors too
            if client is not None:
                client.close()
            raise self._unusable(error) from error
        return client

    def _reached(self) -> smtplib.SMTP:
        # Our name in EHLO; smtplib would ask the DNS for one and may wait long for it.
        name = ascii_address(self._sender).rpartition("@")[2]
        where = self._server.host, self._server.port
        if self._server.tls == TLS:
            return TimedSmtpTls(*where, name, context=timed(ssl.create_default_context()))
        return TimedSmtp(*where, name)

    def _unusable(self, error: OSError) -> Later:
        """Why there is no connection: nothing of this message's making, so no attempt is counted."""
        match error:
            case smtplib.SMTPAuthenticationError():
                why = (
                    f"refuses the login of {self._server.user!r} ({error.smtp_code}): "
                    f"mend ORDERSTATE_SMTP_PASSWORD or the setting notify.smtp"
                )
                return Later(f"{self._where} {why}", after=60.0, counts=False)
            case smtplib.SMTPNotSupportedError() if self._server.tls == STARTTLS and "STARTTLS" in str(error):
                why = "offers no STARTTLS: write tls=tls in notify.smtp, or tls=none if the network is safe"
            case smtplib.SMTPResponseException():
                why = f"answers {error.smtp_code}: {_said(error.smtp_error)}"
            case _ if _timed_out(error):
                why = f"does not answer within {self._server.timeout:g} s"
            case smtplib.SMTPServerDisconnected():
                why = "hangs up"
            case smtplib.SMTPException():
                why = f"cannot be used: {error}"
            case ssl.SSLCertVerificationError():
                why = f"has a certificate that is not trusted: {error.verify_message}"
            case ssl.SSLError():
                hint = " (is tls=starttls meant?)" if self._server.tls == TLS else ""
                why = f"does not speak TLS as we do: {error.reason or error}{hint}"
            case _:
                why = f"cannot be reached: {error.strerror or error}"
        return Later(f"{self._where} {why}", counts=False)

    # The mail

    def _hand_over(self, client: smtplib.SMTP, message: Message, to: Mailbox) -> None:
        sender, address = ascii_address(self._sender), ascii_address(to)
        utf8 = not (sender.isascii() and address.isascii())
        if utf8 and not client.has_extn("smtputf8"):
            raise Never(f"{self._where} takes no address with letters outside ASCII before the @")
        data = content(mail(message, self._sender, to), utf8=utf8)
        options = ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []
        if client.has_extn("size"):
            options.append(f"SIZE={len(data)}")
        begun = False
        try:
            self._agreed(message, "the sender", *client.mail(sender, options))
            self._agreed(message, "the contact's address", *client.rcpt(address))
            begun = True
            self._agreed(message, "the mail", *client.data(data))
        except smtplib.SMTPDataError as error:
            raise self._refused(message, "the mail", error.smtp_code, error.smtp_error) from error
        except OSError as error:
            why = (
                f"does not answer within {self._server.timeout:g} s"
                if _timed_out(error)
                else f"breaks off: {_said(str(error), message)}"
            )
            taken = "; it may have taken it" if begun else ""
            raise Later(f"{self._where} {why}{taken}", counts=begun) from error

    def _agreed(self, message: Message, what: str, code: int, said: bytes) -> None:
        if not 200 <= code < 300:
            raise self._refused(message, what, code, said)

    def _refused(self, message: Message, what: str, code: int, said: bytes | str) -> Later | Never:
        reason = f"{self._where} refuses {what} of order {message.order} ({code}): {_said(said, message)}"
        if code in _LOGIN:
            return Later(f"{reason}; set the user in notify.smtp", counts=False)
        if code == 421:  # it is closing down
            return Later(reason, counts=False)
        return Later(reason) if code < 500 else Never(reason)


def _timed_out(error: OSError) -> bool:
    """smtplib tells a timeout while it waits for an answer as a lost connection, with the timeout as its context."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _said(said: bytes | str, message: Message | None = None) -> str:
    """What the server said, without the contact, which must be kept nowhere but on the order."""
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return words if message is None else without_contact(words, message)
