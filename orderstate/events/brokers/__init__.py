"""Brokers behind one URL: `sink(url)` publishes, `source(url, group=...)` reads. They know nothing of our database."""

from __future__ import annotations

from orderstate.events.brokers.message import CONTENT_TYPE, Failure, Message, Received, Sink, Source
from orderstate.events.brokers.opening import name, sink, source

__all__ = ["CONTENT_TYPE", "Failure", "Message", "Received", "Sink", "Source", "name", "sink", "source"]
