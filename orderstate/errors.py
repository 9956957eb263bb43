"""Everything that can go wrong, as one tree. Each error has a code, a sentence, a hint and an exit status.

OrderstateError            1  unexpected
  InvalidInput             2  a field, its value, and what would be right
  NotOurs                  2  the file is no orderstate database
  NotFound                 3  order, SKU, facility, state, trigger, strategy, setting, database
  Refused                  4  the machine, a guard or a rule said no; `blocked` says why
    SchemaMismatch         4  the database is older or newer than this program
    ReadOnly               4  the database, or another file, cannot be written
  StockShort               5  stock cannot cover
  Conflict                 6  somebody else was there first; safe to retry
    StaleVersion           6  the order moved on since the version that the caller named
    Locked                 6  the database is in use by another writer
  ExpectationFailed        7  a scenario saw something else than it expected
  Declined                 8  a person said no at a prompt
  NotInstalled             9  an optional part is not there
  KeyReused               10  the idempotency key was used with other content
  Damaged                  1  the database file is cut or corrupt
  PlanRejected             1  a strategy proposed what it must not, or raised
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Protocol


class Blocker(Protocol):
    """What blocked a command: a refusal as errors see it."""

    @property
    def code(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def remedy(self) -> str | None: ...
    @property
    def values(self) -> Mapping[str, object]: ...


class OrderstateError(Exception):
    """Something went wrong that nobody foresaw.

    `code` is stable and for programs, `sentence` and `hint` are for people, `values` are what the sentence was made of,
    `blocked` is every reason in the order in which it was found.
    """

    code = "unexpected"
    exit_status = 1
    about: str | None = None
    """The database (an absolute path) with which nothing can be done for this reason; None for any other error."""

    def __init__(
        self,
        sentence: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        blocked: Sequence[Blocker] = (),
        **values: object,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.blocked = tuple(blocked)
        self.values = values
        if code is not None:
            self.code = code

    def document(self) -> dict[str, object]:
        """The shape that `--json` prints on stderr."""
        found: dict[str, object] = {"code": self.code, "sentence": self.sentence, "exit": self.exit_status}
        if self.values:
            found["values"] = self.values
        if self.blocked:
            found["blocked"] = [
                {"code": b.code, "sentence": b.sentence, "remedy": b.remedy, "values": dict(b.values)}
                for b in self.blocked
            ]
        if self.hint:
            found["hint"] = self.hint
        return {"error": found}


class InvalidInput(OrderstateError):
    """A value that is missing (None) or cannot be used: names the field, the value and what would be right.

    `sentence`: one that fits better than the usual.
    """

    code = "invalid_input"
    exit_status = 2

    def __init__(
        self, field: str, value: object, expected: str, *, hint: str | None = None, sentence: str | None = None
    ) -> None:
        shown = repr(value)
        if len(shown) > 80:  # both ends: a long path tells most in its last part
            shown = f"{shown[:38]}...{shown[-38:]}"
        usual = f"{field} is missing: give {expected}" if value is None else f"{field}: {shown} is not {expected}"
        super().__init__(sentence or usual, hint=hint, field=field, value=value, expected=expected)


class NotOurs(OrderstateError):
    """The file exists but is not an orderstate database."""

    code = "not_ours"
    exit_status = 2


class NotFound(OrderstateError):
    """There is nothing of that name."""

    code = "not_found"
    exit_status = 3

    @classmethod
    def named(cls, kind: str, name: str, known: Sequence[str] = (), *, hint: str | None = None) -> NotFound:
        """`unknown_<kind>`, with the nearest known names in the hint."""
        close = get_close_matches(name, known, n=3, cutoff=0.5)
        if not close and name:
            within = [k for k in known if name.casefold() in k.casefold()]
            close = (within or [k for k in known if k.casefold().startswith(name.casefold()[:3])])[:3]
        if close:
            hint = f"did you mean {' or '.join(close)}?"
        code = "unknown_" + kind.casefold().replace(" ", "_")
        return cls(f"unknown {kind} {name!r}", code=code, hint=hint, name=name, close=list(close))


class Refused(OrderstateError):
    """A rule said no. Nothing was changed but the count of refusals."""

    code = "refused"
    exit_status = 4


class SchemaMismatch(Refused):
    """The database was written by an older or a newer orderstate."""

    code = "schema_mismatch"


class ReadOnly(Refused):
    """The database or another file, or the folder it is in, cannot be written."""

    code = "read_only"


class StockShort(OrderstateError):
    """Stock does not cover what was asked."""

    code = "stock_short"
    exit_status = 5


class Conflict(OrderstateError):
    """Another command was there first; nothing was changed, and it is safe to try again."""

    code = "conflict"
    exit_status = 6


class StaleVersion(Conflict):
    """The order is at another version than the caller believed."""

    code = "stale_version"


class Locked(Conflict):
    """The database stayed locked by another writer for the whole waiting time."""

    code = "locked"


class ExpectationFailed(OrderstateError):
    """A scenario saw something else than it expected."""

    code = "expectation_failed"
    exit_status = 7


class Declined(OrderstateError):
    """A person answered no."""

    code = "declined"
    exit_status = 8


class NotInstalled(OrderstateError):
    """An optional part is not installed, or not in this version."""

    code = "not_installed"
    exit_status = 9


class KeyReused(OrderstateError):
    """The idempotency key was used before with other content."""

    code = "key_reused"
    exit_status = 10


class Damaged(OrderstateError):
    """The database file is cut or corrupt."""

    code = "damaged"


class PlanRejected(OrderstateError):
    """A strategy proposed a plan that breaks the rules, or raised."""

    code = "plan_rejected"
