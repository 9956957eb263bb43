"""Figures as a manager reads them: thousands apart, money in the currency's own unit where that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
"""Currencies whose minor unit is the unit itself, or a thousandth of it, and not a hundredth (ISO 4217)."""


class Money:
    """Amounts in 1/1000 of the minor unit, as text without their unit. `unit` names it, for headings."""

    def __init__(self, currency: str) -> None:
        self._decimals = 0 if currency in _WHOLE.split() else 3 if currency in _THOUSANDTHS.split() else 2
        self._divisor = 1000 * 10 ** (self._decimals if currency else 0)
        if not currency:
            self._decimals = 1
        self.unit = currency or "minor units"

    def each(self, amount: float) -> str:
        """An amount of one order, with its decimals: `35.45`."""
        return f"{amount / self._divisor:,.{self._decimals}f}"

    def total(self, amount: float) -> str:
        """An amount of many orders, whole: `646,838`."""
        return f"{amount / self._divisor:,.0f}"


def count(number: int) -> str:
    """`20,538`."""
    return f"{number:,}"


def few(number: float) -> str:
    """A small number with two decimals: `3.13`."""
    return f"{number:,.2f}"


def percent(share: float) -> str:
    """`88.8 %`, from 0.888."""
    return f"{100 * share:.1f}\u00a0%"


def signed_percent(share: float) -> str:
    """`+1.5 %`, `−32.6 %`, and `0.0 %` for what rounds to that."""
    return _signed(100 * share) + "\u00a0%"


def points(share: float) -> str:
    """A difference of two shares in percentage points: `−4.1`."""
    return _signed(100 * share)


def _signed(number: float) -> str:
    text = f"{abs(number):.1f}"
    return text if float(text) == 0 else ("+" if number > 0 else "\u2212") + text


def km(metres: float) -> str:
    """`11,984`, from metres."""
    return f"{metres / 1000:,.0f}"


def day(at: int) -> str:
    """`2010-12-01` (UTC), from microseconds."""
    return (_EPOCH + timedelta(microseconds=at)).date().isoformat()
