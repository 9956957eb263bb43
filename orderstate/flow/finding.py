"""What a check finds: a code, where, what is wrong, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orderstate.errors import NotFound, OrderstateError
from orderstate.flow.naming import Fault, Key, Places, mark_of, place_of
from orderstate.flow.possible import Ways
from orderstate.flow.tree import Mark
from orderstate.model import Flow

ERROR, WARNING = "error", "warning"
_WRITE = "write "


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a flow (error), or that is probably not meant (warning)."""

    code: str
    level: str
    place: str
    """`state pending`, `transition cancel from shipping`, `path` or `initial`."""
    sentence: str
    mend: str
    mark: Mark | None = None
    """Where it stands, if the flow came from a file."""

    def __str__(self) -> str:
        where = f"{self.mark}: " if self.mark else ""
        told = f"{where}{self.level} {self.code}: {self.sentence}"
        # "X is not one of a, b" has said what would be right.
        repeated = f" is not {self.mend.removeprefix(_WRITE)}" in self.sentence
        return told if repeated else f"{told}; {self.mend}"

    def document(self) -> dict[str, object]:
        """The shape that `--json` prints."""
        found: dict[str, object] = {
            "code": self.code,
            "level": self.level,
            "place": self.place,
            "sentence": self.sentence,
            "mend": self.mend,
        }
        if self.mark is not None:
            found |= {"file": self.mark.file, "line": self.mark.line, "column": self.mark.column}
        return found


@dataclass(frozen=True, slots=True)
class Examined:
    """A flow under examination: what it offers, and where its parts stand."""

    flow: Flow
    ways: Ways
    places: Places
    arriving: dict[str, None]
    """The states that can be reached, nearest first."""

    def at_state(self, code: str, name: str, sentence: str, mend: str, field: str = "", level: str = ERROR) -> Finding:
        """A finding about a state, or one field of it."""
        key: Key = ("state", name, field) if field else ("state", name)
        return Finding(code, level, f"state {name}", sentence, mend, mark_of(self.places, key))

    def at_transition(
        self,
        code: str,
        index: int,
        sources: Iterable[str],
        sentence: str,
        mend: str,
        field: str = "",
        level: str = ERROR,
    ) -> Finding:
        """A finding about a transition from some of its sources."""
        key: Key = ("transition", index, field) if field else ("transition", index)
        place = place_of(self.flow.transitions[index], *sources)
        return Finding(code, level, place, sentence, mend, mark_of(self.places, key))

    def at_path(self, sentence: str, mend: str, code: str = "path_broken", number: int | None = None) -> Finding:
        """A finding about the main path, or one trigger of it."""
        key: Key = ("path",) if number is None else ("path", number)
        return Finding(code, ERROR, "path", sentence, mend, mark_of(self.places, key))


def from_fault(fault: Fault) -> Finding:
    """What could not be read, or a name that is not there, as a finding."""
    error = fault.error
    return Finding(error.code, ERROR, fault.place, error.sentence, mending(error), fault.mark)


def mending(error: OrderstateError) -> str:
    """How to mend what an error says is wrong with a file."""
    if error.hint is not None:
        return error.hint
    if isinstance(error, NotFound):
        return "declare it, or name another"
    expected = error.values.get("expected")
    if error.sentence.endswith(f"is missing: give {expected}"):
        return "add it"
    return f"{_WRITE}{expected}"
