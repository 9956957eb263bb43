"""What became of one attempt to deliver something, where it was not done.

Whoever delivers raises one of these, and the loop that called it turns that into a row: due again, or parked. They are
verdicts for that loop, not errors for a person at a prompt, so they stand outside the tree of errors.py: they have no
code, no hint and no exit status, only a reason of one clear line.
"""

from __future__ import annotations

LONGEST = 500
"""Characters of a reason that are kept."""


class Later(Exception):
    """Not now: try again.

    `after`: the far side asked to be left alone for so many seconds; None: as the schedule says. `counts` is False
    where the far side as a whole is down or refuses us, so that this delivery is not to blame and uses up no attempt.
    """

    reason = ""
    after: float | None = None
    counts = True

    def __init__(self, reason: str, after: float | None = None, counts: bool = True) -> None:
        self.reason = one_line(reason)
        self.after = after
        self.counts = counts
        super().__init__(self.reason)


class Never(Exception):
    """No further attempt can change it: park it at once, until a person has mended what the reason says."""

    reason = ""

    def __init__(self, reason: str) -> None:
        self.reason = one_line(reason)
        super().__init__(self.reason)


def one_line(text: str, most: int = LONGEST) -> str:
    """The text on one line, without signs that are not visible, and at most `most` characters long.

    Reasons quote what strangers sent: a mail server's answer, a payload. What is shown on a terminal must not steer it.
    """
    plain = "".join(c if c.isprintable() else " " for c in text)
    words = " ".join(plain.split())
    return words if len(words) <= most else words[: most - 3] + "..."
