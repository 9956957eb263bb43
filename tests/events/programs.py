"""The program itself in a process of its own: `work --follow`, and what it says while it runs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
PATIENCE = 60.0
"""Seconds after which a test is given up: only a hang takes so long."""


def until_true(condition: Callable[[], bool]) -> None:
    """Look until it is so: what other processes do can only be looked for."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        select.select([], [], [], 0.002)


class Program:
    """`orderstate ARGUMENTS` on a database. Its lines of JSON come from stderr, or with `out` from stdout.

    `folder`: in which it runs; None for ours.
    """

    def __init__(self, database: Path, *arguments: str, out: bool = False, folder: Path | None = None) -> None:
        path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orderstate", "--db", str(database), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            cwd=folder,
        )
        stream = self.process.stdout if out else self.process.stderr
        assert stream is not None
        self._stream = stream
        self._kept = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """Its next line, waited for."""
        while b"\n" not in self._kept:
            ready, _, _ = select.select([self._stream], [], [], PATIENCE)
            assert ready, "it says nothing"
            found = os.read(self._stream.fileno(), 65_536)
            assert found, f"it ended: {self.process.wait()}"
            self._kept += found
        line, _, self._kept = self._kept.partition(b"\n")
        return line.decode()

    def document(self) -> dict[str, Any]:
        """Its next line, as JSON."""
        found: dict[str, Any] = json.loads(self.line())
        return found

    def until(self, **wanted: object) -> dict[str, Any]:
        """The next document with these values."""
        while True:
            found = self.document()
            if all(found.get(name) == value for name, value in wanted.items()):
                return found

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Its exit status, waited for."""
        return self.process.wait(PATIENCE)

    def rest(self) -> tuple[str, str]:
        """What is left of stdout and stderr, once it has ended."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return out.decode(), err.decode()

    def catches(self, number: int) -> bool:
        """Whether it still handles a signal by itself."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        return bool(int(mask, 16) >> (number - 1) & 1)
