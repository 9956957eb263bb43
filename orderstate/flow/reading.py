"""Flow files: YAML to Flow. Every mistake names file, line and column, the field, the value and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orderstate.errors import InvalidInput, NotFound
from orderstate.flow.declaring import MOST_LABEL, Declaring
from orderstate.flow.draft import Draft, drafted
from orderstate.flow.naming import Fault, Places, misnamed
from orderstate.flow.tree import Node, grow, parse, placed, text_of, wrong
from orderstate.model import Flow

STANDARD_NAME = "standard"
FILE = "flow file"
"""The field of errors about a file as a whole, which nobody could begin to read."""

_EVERYWHERE = "cancel"
"""The trigger that the standard flow declares from every state that is not final, so also from what extends it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A flow as its file declares it, where each part of it stands, and every fault that was found."""

    flow: Flow
    places: Places
    faults: tuple[Fault, ...]

    def sound(self) -> Flow:
        """The flow. Raises the first fault, at its place."""
        for fault in self.faults:
            raise placed(fault.error, fault.mark)
        return self.flow


def load(path: str | Path) -> Flow:
    """The flow of a file.

    Raises NotFound where there is no such file or a name in it is unknown, and InvalidInput for what cannot be read;
    both say at which line and column.
    """
    return source(path).sound()


def read(text: str, name: str = "flow", folder: str | Path = ".") -> Flow:
    """The flow that YAML describes. `name` stands for a file in errors; `extends` is looked up in `folder`.

    Raises what `load` raises.
    """
    return text_source(text, name, folder).sound()


def from_node(node: Node, name: str = "flow", folder: str | Path = ".") -> Flow:
    """The flow that stands in another document, such as a scenario, at its lines. Raises what `load` raises."""
    reading = _Reading()
    return reading.finished(reading.draft(node, Path(folder), ()), name).sound()


def from_document(document: Mapping[str, object], name: str = "flow") -> Flow:
    """The flow of a document, such as `document` makes. It reads no files: it may extend the standard flow only.

    Raises NotFound and InvalidInput, which name the field.
    """
    if not isinstance(document, Mapping):
        raise InvalidInput(name, document, "a flow: an object with states, transitions, initial and path")
    if document.get("extends", STANDARD_NAME) != STANDARD_NAME:
        raise InvalidInput("extends", document["extends"], f"{STANDARD_NAME}: a flow that is no file extends no file")
    reading = _Reading()
    return reading.finished(reading.draft(grow(document, name), Path(), ()), name).sound()


def source(path: str | Path) -> Source:
    """A file with all of its faults.

    Raises NotFound where there is no such file, and InvalidInput for what is no flow at all.
    """
    file = Path(path)
    reading = _Reading()
    return reading.finished(reading.file(file, str(path), ()), file.stem)


def text_source(text: str, name: str = "flow", folder: str | Path = ".") -> Source:
    """The same of a text. `name` and `folder` as for `read`."""
    reading = _Reading()
    return reading.finished(reading.draft(parse(text, name), Path(folder), ()), Path(name).stem)


def contents(file: Path, shown: str) -> str:
    """The text of a file, called `shown` in errors. Raises NotFound, InvalidInput."""
    if not shown:
        raise InvalidInput(FILE, shown, "the name of a flow file", sentence="the name of the flow file is empty")
    try:
        return text_of(file, "flow")
    except FileNotFoundError as missing:
        raise NotFound.named("flow file", str(file), _neighbours(file)) from missing


def _neighbours(file: Path) -> list[str]:
    """Flow files in the same folder, for whoever mistyped one."""
    found = sorted(file.parent.glob("*.y*ml")) if file.parent.is_dir() else []
    return [str(path) for path in found]


def standard_draft() -> Draft:
    """The standard flow as what other flows extend."""
    from orderstate.machine import STANDARD  # imports `transitions`, which only a flow that extends it should pay for

    return drafted(STANDARD, lambda transition: transition.trigger == _EVERYWHERE)


class _Reading:
    """A file and those that it extends, with the faults of all."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def file(self, file: Path, shown: str, above: tuple[Path, ...]) -> Draft:
        """What a file declares over what it extends. `above` are the files that led here."""
        return self.draft(parse(contents(file, shown), shown), file.parent, (*above, file.resolve()))

    def draft(self, node: Node, folder: Path, above: tuple[Path, ...]) -> Draft:
        """What a document declares over what it extends."""
        declaring = Declaring()
        own = declaring.draft(node)
        self.faults += declaring.faults
        if declaring.extends is None:
            return own
        base = self.base(declaring.extends, folder, above)
        for field, names, known in (
            ("states", own.removed_states, base.states.keys()),
            ("triggers", own.removed_triggers, {t.trigger for t in base.transitions}),
        ):
            declared = own.states.keys() if field == "states" else {t.trigger for t in own.transitions}
            for name in sorted(names):
                self.removal(declaring, field, name, sorted(known), name in declared)
        return own.over(base)

    def removal(self, declaring: Declaring, field: str, name: str, known: list[str], declared: bool) -> None:
        """What is removed must be there, and must not be declared by the same file."""
        item = declaring.removed[field].value
        mark = next((one.mark for one in item.items or () if one.text == name), item.mark)
        if name not in known:
            declaring.fault("remove", mark, NotFound.named(field.removesuffix("s"), name, known))
        elif declared:
            sentence = f"{name} is removed, but this file declares it, which replaces it already"
            error = wrong("invalid_input", sentence, f"remove.{field}", name, "it in one of the two places only")
            declaring.fault("remove", mark, error)
        else:
            return
        self.faults.append(declaring.faults[-1])

    def base(self, node: Node, folder: Path, above: tuple[Path, ...]) -> Draft:
        """What `extends` names: the standard flow, or a file beside this one."""
        if not node.text:
            missing = None if node.shown == "nothing" else node.shown
            raise placed(InvalidInput("extends", missing, "standard, or another flow file"), node.mark)
        if node.text == STANDARD_NAME:
            return standard_draft()
        file = folder / node.text
        if file.resolve() in above:
            sentence = f"extends: {node.text!r} leads back to this file, so neither of them is ever complete"
            expected = f"{STANDARD_NAME}, or a flow file that does not extend this one"
            raise placed(InvalidInput("extends", node.text, expected, sentence=sentence), node.mark)
        if not file.exists():
            known = [STANDARD_NAME, *(str(Path(path).relative_to(folder)) for path in _neighbours(file))]
            raise placed(NotFound.named("flow", node.text, known), node.mark)
        if file.is_dir():
            sentence = f"extends: {node.text!r} is a folder, not a flow file"
            raise placed(
                InvalidInput("extends", node.text, f"{STANDARD_NAME}, or a flow file", sentence=sentence), node.mark
            )
        return self.file(file, str(file), above)

    def finished(self, draft: Draft, name: str) -> Source:
        """The flow, with every fault of its files and of its names."""
        fit = name.isprintable() and 0 < len(name) <= MOST_LABEL
        flow, places = draft.finished(name if fit else "flow")
        faults = [*self.faults, *misnamed(flow, places, draft.broken)]
        files = list(dict.fromkeys(fault.mark.file for fault in faults if fault.mark))
        faults.sort(key=lambda fault: _position(fault, files))
        return Source(flow, places, tuple(faults))


def _position(fault: Fault, files: list[str]) -> tuple[int, int, int]:
    """As a person reads: file after file, down the lines; what stands nowhere comes last."""
    if fault.mark is None:
        return len(files), 0, 0
    return files.index(fault.mark.file), fault.mark.line or 0, fault.mark.column or 0
