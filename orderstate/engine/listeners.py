"""Which subscribers hear of which events, ready to be asked once for each event that is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orderstate.model import Subscriber


@dataclass(frozen=True, slots=True)
class Listeners:
    """Names of subscribers by the type of event that they want."""

    by_type: Mapping[str, tuple[str, ...]]
    every: tuple[str, ...]
    """Those who hear of types that nobody asked for by name, too."""

    @classmethod
    def of(cls, subscribers: Iterable[Subscriber]) -> Listeners:
        """The enabled ones, sorted by name."""
        on = sorted((s for s in subscribers if s.enabled), key=lambda s: s.name)
        types = {kind for s in on for kind in s.types}
        return cls(
            {kind: tuple(s.name for s in on if s.wants(kind)) for kind in types},
            tuple(s.name for s in on if not s.types),
        )

    def to(self, kind: str) -> tuple[str, ...]:
        """Who hears of an event of this type."""
        return self.by_type.get(kind, self.every)


NOBODY = Listeners({}, ())
