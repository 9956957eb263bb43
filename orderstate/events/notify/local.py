"""The channels that need no network: `console` writes words, `file` writes a mail each into a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

from orderstate.addresses import Mailbox
from orderstate.events.notify.facts import line
from orderstate.events.notify.mail import content, mail, recipient
from orderstate.events.notify.message import Message
from orderstate.events.outcomes import Later


class Console:
    """Writes subject and text where a person reads. `stream` None: standard error, whatever that is at the time."""

    name = "console"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, message: Message) -> None:
        """Write it. Raises Later where nobody listens any more."""
        stream = self._stream or sys.stderr
        to = line(message.to) or "nobody in particular"
        body = "".join(f"  {text}\n" if text else "\n" for text in message.text.strip("\n").split("\n"))
        words = f"{message.event} to {to}: {message.subject}\n{body}\n"
        coding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(words.encode(coding, "backslashreplace").decode(coding))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise Later(f"the console cannot be written: {error}", counts=False) from error

    def close(self) -> None:
        """The stream is not ours to close."""


class Folder:
    """Writes `<event>.<digest>.eml` into a folder, which is made where it is missing. A repeat replaces the first."""

    name = "file"

    def __init__(self, folder: Path, sender: Mailbox | None = None) -> None:
        self._folder = folder
        self._sender = sender

    def send(self, message: Message) -> None:
        """Write it: whole and durable, or not at all. Raises Later."""
        data = content(mail(message, self._sender, recipient(message)), utf8=True)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(data, f"{message.file_name}.eml")
        except OSError as error:  # full, read-only, or not ours: all mails wait for the same mending
            why = error.strerror or str(error)
            raise Later(f"the folder {str(self._folder)!r} cannot be written: {why}", counts=False) from error

    def close(self) -> None:
        """Nothing is open between two messages."""

    def _write(self, data: bytes, name: str) -> None:
        unfinished = self._folder / f".{name}.{os.getpid()}.part"
        try:
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._folder / name)
        finally:
            unfinished.unlink(missing_ok=True)
        # The name is durable only with the folder; the delivery is marked as done right after.
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
