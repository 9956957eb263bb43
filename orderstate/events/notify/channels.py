"""How customers are told: the channels that the settings name, opened, asked in their order, and closed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self, TextIO, TypeVar

from orderstate.errors import InvalidInput
from orderstate.events.notify.message import Message, Notice
from orderstate.events.notify.quiet import left_out
from orderstate.events.notify.rendering import render
from orderstate.events.outcomes import Never
from orderstate.settings import Notify

_T = TypeVar("_T")

PASSWORD = "ORDERSTATE_SMTP_PASSWORD"


class Channel(Protocol):
    """One way to tell a customer. Not for several threads at once."""

    @property
    def name(self) -> str:
        """As the setting names it."""

    def send(self, message: Message) -> None:
        """Tell it; when it returns, the far side has it. Raises Later or Never, nothing else."""

    def close(self) -> None:
        """Let go of connections. Safe to call twice; `send` opens again."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Several channels as one.

    They are asked in the order of settings.CHANNELS: those that recognise a repeat come first, a mail goes out last. So
    whatever must be tried again was not yet mailed.
    """

    each: Sequence[Channel]
    shop: str = ""
    """What the shop calls itself: the name in notify.from."""

    @property
    def name(self) -> str:
        """`file, smtp`."""
        return ", ".join(channel.name for channel in self.each)

    def send(self, message: Message) -> None:
        """Tell it by every channel. Later stops at once, for all of it comes again; Never waits for the others."""
        refused: list[str] = []
        for channel in self.each:
            try:
                channel.send(message)
            except Never as never:
                refused.append(never.reason)
        if refused:
            raise Never("; ".join(refused))

    def close(self) -> None:
        """Close each."""
        for channel in self.each:
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_channels(
    settings: Notify,
    *,
    base: Path = Path(),
    environment: Mapping[str, str] | None = None,
    stream: TextIO | None = None,
) -> Channels:
    """The channels of `notify.channel`, in their order; nothing is connected to before the first message.

    `base`: where relative folders begin. `environment`: holds password and secret (default: the process's own).
    `stream`: where the console writes; None: standard error, if that is free (quiet.no_console). Raises InvalidInput
    for a setting or a variable that a channel lacks.
    """
    known = os.environ if environment is None else environment
    wanted = [name for name in settings.channels if name != "console" or stream is not None or not left_out()]
    each = [_opened(name, settings, base, known, stream) for name in wanted]
    return Channels(each, settings.sender.name if settings.sender else "")


def _opened(name: str, settings: Notify, base: Path, environment: Mapping[str, str], stream: TextIO | None) -> Channel:
    if name == "smtp":
        return _smtp(settings, environment)
    if name == "webhook":
        return _webhook(settings, environment)
    if name == "file":
        from orderstate.events.notify.local import Folder

        folder = _needed("notify.folder", settings.folder, "the folder that mails are written into")
        return Folder(base / folder, settings.sender)
    from orderstate.events.notify.local import Console

    return Console(stream)


def _smtp(settings: Notify, environment: Mapping[str, str]) -> Channel:
    from orderstate.events.notify.smtp import Smtp

    server = _needed("notify.smtp", settings.smtp, "the mail server, such as smtp://user@mail.example.org:587")
    sender = _needed("notify.from", settings.sender, "who writes the mails, such as 'Mug Shop <orders@example.org>'")
    password = environment.get(PASSWORD, "")
    if server.user and not password:
        raise InvalidInput(PASSWORD, None, f"the password of {server.user} in the environment")
    if not (password + server.user).isascii():
        raise InvalidInput(PASSWORD, "(hidden)", "a name and a password in ASCII, which is all that a login can carry")
    return Smtp(server, sender, password)


def _webhook(settings: Notify, environment: Mapping[str, str]) -> Channel:
    from orderstate.events.notify.webhook import SECRET, Webhook, secrets

    url = _needed("notify.webhook", settings.webhook, "where to post to, such as https://example.org/hooks/orders")
    keys = secrets(environment.get(SECRET, ""))
    if not keys:
        raise InvalidInput(SECRET, None, "the secret that signs, in the environment: whsec_ and base64")
    return Webhook(url, keys)


def _needed(key: str, value: _T | None, expected: str) -> _T:
    if value is None:
        raise InvalidInput(key, None, expected, hint=f"orderstate config set {key} ...")
    return value


def tell(notice: Notice, channels: Channels, folder: Path | None = None) -> Message | None:
    """Tell the customer of one event; the message, or None where it tells nothing. Raises Later, Never.

    A notice that names no shop comes from the one that the channels write for.
    """
    message = render(notice if notice.shop else replace(notice, shop=channels.shop), folder)
    if message is not None:
        channels.send(message)
    return message
