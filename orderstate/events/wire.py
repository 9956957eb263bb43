"""Events as other systems see them: CloudEvents 1.0 in JSON (github.com/cloudevents/spec, structured mode).

`id` is unique in its `source`, which carries the database's random id; `subject` and `partitionkey` are the order's id;
`sequence` is the event's number, so that a gap shows. Contacts are in no event, and so in no message.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from orderstate.model import Event

CONTENT_TYPE = "application/cloudevents+json"
_KEPT_HERE = frozenset({"problem"})
"""Parts of a payload that serve this database alone: what a plan answered, to check it again."""


def source(database: str) -> str:
    """The CloudEvents source of a database, from its random id."""
    return f"/orderstate/{database}"


def moment(at: int) -> str:
    """RFC 3339, from UTC microseconds."""
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def document(event: Event, origin: str, trace: str | None = None) -> dict[str, Any]:
    """The CloudEvents document of an event.

    `origin`: its source; `trace`: a W3C traceparent to carry on, instead of that of the command that wrote it.
    """
    said = {"as": event.role, "by": event.by, "trigger": event.trigger, "from": event.source, "to": event.target}
    data: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    data |= {name: value for name, value in event.payload.items() if name not in _KEPT_HERE}
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": origin,
        "type": event.type,
        "subject": event.subject,
        "time": moment(event.at),
        "datacontenttype": "application/json",
        "partitionkey": event.subject,
        "sequence": str(event.number),
        "sequencetype": "Integer",
        "data": data,
    }
    carried = event.trace if trace is None else trace
    if carried is not None:
        found["traceparent"] = carried
    return found


def encode(event: Event, origin: str, trace: str | None = None) -> bytes:
    """The document as UTF-8, as it goes over a wire."""
    return json.dumps(document(event, origin, trace), ensure_ascii=False, separators=(",", ":")).encode()
