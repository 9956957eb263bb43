"""Watch the story: every event of the order service and of the inventory service, as it goes over the broker.

`python examples/broker_story/watch.py BROKER`, where BROKER is what run.py says it is.
"""

from __future__ import annotations

import secrets
import sys
import threading
from typing import Any

from parts import DESK, INVENTORY, ORDERS, listening, serve

from orderstate.events.waking import Bell


def main(broker: str) -> int:
    """A line for each message, until Ctrl-C."""
    group, gate = f"watch-{secrets.token_hex(4)}", threading.Lock()

    def shown(stream: str) -> Any:
        def hear(event: dict[str, Any]) -> None:
            with gate:
                print(f"{stream:10} {event.get('subject', ''):14} {event['type']:18} {event['id']}", flush=True)

        def part(bell: Bell) -> None:
            listening(f"{broker}/{stream}", group, hear)(bell)

        return part

    return serve(*(shown(stream) for stream in (ORDERS, INVENTORY, DESK)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/broker_story/watch.py BROKER")
    sys.exit(main(sys.argv[1]))
