"""How long a state may last, as people write it and as timers count it: `48h` is 172,800,000,000 microseconds."""

from __future__ import annotations

import re

_UNITS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
DURATION = r"[1-9][0-9]{0,17}(w|d|h|m|s|ms|us)"
"""A duration as a regular expression: one number, one unit."""

LONGEST = 3650 * _UNITS["d"]
EXPECTED = "a time such as 30m, 48h, 7d or 2w, at most ten years"


def duration(text: str) -> int | None:
    """Microseconds, or None for what is no duration or longer than LONGEST."""
    found = re.fullmatch(DURATION, text.strip())
    if found is None:
        return None
    unit = found[1]
    micros = int(text.strip().removesuffix(unit)) * _UNITS[unit]
    return micros if micros <= LONGEST else None


def duration_text(micros: int) -> str:
    """The same time in the largest unit that divides it; what is below three days is told in hours, as people do."""
    for unit, size in _UNITS.items():
        if micros % size == 0 and unit != "w" and not (unit == "d" and micros < 3 * size):
            return f"{micros // size}{unit}"
    raise AssertionError("every number is a multiple of one microsecond")
