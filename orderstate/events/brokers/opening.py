"""From a URL to its sink or source. Clients are imported when a sink or source opens, not here."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from orderstate.errors import InvalidInput
from orderstate.events.brokers.address import NAME, file_of, is_url, parsed, plain
from orderstate.events.brokers.message import Sink, Source

STANDARD = "-"
"""Standard output for a sink, standard input for a source."""

_MODULES = {
    "nats": "nats",
    "kafka": "kafka",
    "amqp": "rabbit",
    "amqps": "rabbit",
    "redis": "redis",
    "rediss": "redis",
    "http": "web",
    "https": "web",
}


def sink(url: str) -> Sink:
    """The sink that a URL names, not yet open.

    Raises NotFound for an unknown scheme or option, InvalidInput for what cannot be read; neither shows credentials.
    """
    if not is_url(url):
        from orderstate.events.brokers.files import FileSink
        from orderstate.events.brokers.standard import StandardSink

        found: Sink = StandardSink() if url == STANDARD else FileSink(file_of(url))
        return found
    address = parsed(url)
    return cast(Sink, import_module(f"orderstate.events.brokers.{_MODULES[address.scheme]}").sink(address))


def source(url: str, group: str = NAME) -> Source:
    """The source that a URL names, not yet open. `group` is whose position it is: another group reads everything too.

    Raises as `sink` does.
    """
    plain("group", group)
    if not is_url(url):
        from orderstate.events.brokers.files import FileSource
        from orderstate.events.brokers.standard import StandardSource

        found: Source = StandardSource() if url == STANDARD else FileSource(file_of(url), group)
        return found
    address = parsed(url)
    if address.scheme.startswith("http"):
        raise InvalidInput("from", f"{address.scheme}://...", "a broker to read from: a web address is only written to")
    module = import_module(f"orderstate.events.brokers.{_MODULES[address.scheme]}")
    return cast(Source, module.source(address, group))


def name(url: str) -> str:
    """Which sink that is, without credentials and options: the same for every way to write it."""
    return sink(url).name
