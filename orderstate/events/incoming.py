"""Messages of other systems, from bytes to values: CloudEvents 1.0, structured JSON. Knows no database.

What cannot be read is `Unreadable`, with the reason in one line: it will never be readable by this program, so nobody
tries again by himself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orderstate.engine.decoding import GivenTwiceError, once
from orderstate.events.brokers.message import LARGEST, NOTHING, Cut
from orderstate.events.outcomes import one_line

KEPT = 65_536
"""Characters of an unreadable message that are kept."""

LONGEST = 1000
"""Characters of a source, an id, a type or a subject."""

_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message. `source` and `id` together are unique in the world; `subject` is "" where it names none."""

    source: str
    id: str
    type: str
    subject: str
    data: Mapping[str, Any]
    text: str
    """The whole message, to be kept where it has to be parked."""
    trace: str | None = None
    """W3C traceparent."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One message that cannot be read. Without an id of its own it is known by what it says, so a repeat is one."""

    source: str
    id: str
    type: str | None
    text: str
    reason: str


def read(body: bytes, origin: str, headers: Mapping[str, str] = NOTHING) -> Incoming | Unreadable:
    """The message in a body that came from the broker `origin`; a trace in the broker's headers is taken where the
    message itself carries none."""
    size, digest = (body.size, body.digest) if isinstance(body, Cut) else (len(body), hashlib.sha256(body).hexdigest())
    known = origin, f"sha256:{digest}"
    if size > LARGEST:
        return Unreadable(*known, None, _plain(body[:KEPT]), f"it has {size} bytes: {LARGEST} are read at most")
    text = _plain(body)
    try:
        found = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Unreadable(*known, None, text[:KEPT], f"it is not UTF-8: byte {error.start}")
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        return Unreadable(*known, None, text[:KEPT], f"it is not JSON: {error.msg.casefold()} at {where}")
    except GivenTwiceError as error:
        return Unreadable(*known, None, text[:KEPT], one_line(f"{error} in one object"))
    except (ValueError, RecursionError) as error:
        return Unreadable(*known, None, text[:KEPT], one_line(f"it is JSON that cannot be read: {error}"))
    if not isinstance(found, dict):
        return Unreadable(*known, None, text, "it is no CloudEvent: a JSON object is due")
    wrong = _wrong(found)
    if wrong is None:
        trace = found.get("traceparent", headers.get("traceparent"))
        return Incoming(
            found["source"],
            found["id"],
            found["type"],
            found.get("subject") or "",
            found["data"],
            text,
            trace if isinstance(trace, str) else None,
        )
    source, id = (found["source"], found["id"]) if _usable(found.get("source")) and _usable(found.get("id")) else known
    kind = found.get("type")
    return Unreadable(source, id, kind if isinstance(kind, str) and _usable(kind) else None, text, one_line(wrong))


def _wrong(found: Mapping[str, Any]) -> str | None:
    """What is wrong with the envelope, or None."""
    if found.get("specversion") != "1.0":
        return f"specversion: {found.get('specversion')!r} is not '1.0', so it is no CloudEvent that is known here"
    for name in ("id", "source", "type"):
        if name not in found:
            return f"{name} is missing"
        if not _usable(found[name]):
            return f"{name}: {found[name]!r} is not text of 1 to {LONGEST} characters"
    subject = found.get("subject")
    if subject is not None and not _usable(subject):
        return f"subject: {subject!r} is not text of 1 to {LONGEST} characters"
    content = found.get("datacontenttype", "application/json")
    if not isinstance(content, str) or content.partition(";")[0].strip().casefold() != "application/json":
        return f"datacontenttype: {content!r} is not application/json"
    if not isinstance(found.get("data"), dict):
        return "data is missing: a JSON object is due"
    return None


def _usable(value: object) -> bool:
    """Text that every database can keep."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()


def _number(text: str) -> int | float:
    """A whole number is one, however it is written: JSON knows one kind of number only."""
    found = float(text)
    return int(found) if found.is_integer() and abs(found) <= _EXACT else found


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=once, parse_float=_number, parse_constant=_constant)


def _plain(body: bytes) -> str:
    """A body as text that every database can keep; exact, if it is UTF-8 without NUL."""
    return body.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
