"""Every setting of a database: declared once, with its key, default, unit, meaning and parser.

Settings are kept in the database as rows of text, key to value; a missing row means the default. Amounts are written in
minor units of the currency (cents, pence) with decimals, and become fixed-point integers here, so that no decision ever
sees a float: money is an integer in 1/1000 of the minor unit; `rate_per_kg_km` is so small that it has 1/1,000,000.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from orderstate.errors import InvalidInput, NotFound
from orderstate.model import SHORT_POLICIES, Facility

if TYPE_CHECKING:
    from orderstate.addresses import Mailbox, MailServer

MILLI, MICRO = 1_000, 1_000_000
"""Fixed-point units in one minor unit: of money and rates, and of the rate per kilogram and kilometre."""

COST_LIMIT = 1_000_000_000
"""The largest amount that one cost setting may name, in minor units. In 1/1000 that is 2^40 at most; what a whole order
could come to is held below 2^53 where its problem is built (allocation/problem.py), so that everything fits 64 bits."""

_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK"
)

COUNTRIES = frozenset(_CODES.split())
"""The officially assigned codes of ISO 3166-1 alpha-2, and XK, which is not official but in everyday use for Kosovo."""

CHANNELS = ("file", "webhook", "console", "smtp")
"""How a customer can be told, in the order in which they are asked: what recognises a repeat first, a mail last."""

_AMOUNT = re.compile(r"(\d{1,30})(?:\.(\d{1,30}))?", re.ASCII)
_STRATEGY = re.compile(r"[\w-]+|[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Costs:
    """The cost model of ALLOCATION.md as fixed-point integers; see `SETTINGS` for what each means.

    All are in 1/1000 of the minor unit, but `rate_per_kg_km`, in 1/1,000,000. `backorder` is None by default: then
    filling the order comes before any cost.
    """

    handling: int = 150 * MILLI
    carrier_base: int = 500 * MILLI
    split_penalty: int = 300 * MILLI
    per_km: int = MILLI // 2
    air_per_km: int = 0
    export_fee: int = 1_500 * MILLI
    rate_per_kg: int = 50 * MILLI
    rate_per_kg_km: int = MICRO // 50
    pick: int = 0
    back_penalty: int = 2 * MILLI
    backorder: int | None = None

    def of(self, facility: Facility) -> Costs:
        """The costs of one facility: these, with what the facility overrides.

        Raises NotFound for a name that is no cost of a facility and InvalidInput for a value that is none.
        """
        if not facility.costs:
            return self
        for name, value in facility.costs.items():
            places = _places(name)
            limit = COST_LIMIT * 10**places
            if type(value) is not int or not 0 <= value <= limit:
                raise InvalidInput(f"cost {name} of {facility.code}", value, f"an integer from 0 to {limit}")
        return replace(self, **facility.costs)


DEFAULT_COSTS = Costs()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its key, its default as text, its unit and meaning, and how its text is read and written."""

    key: str
    default: str
    unit: str
    doc: str
    read: Callable[[str], Any]
    """Text to value; raises InvalidInput with the key as its field."""
    write: Callable[[Any], str]
    """Value to canonical text."""


def fixed(field: str, text: str, places: int) -> int:
    """A decimal amount in minor units as an integer with `places` decimals; never rounded, never negative.

    Raises InvalidInput: no number, negative, more decimals than the unit has, above COST_LIMIT.
    """
    expected = f"an amount in minor units from 0 to {COST_LIMIT}, with at most {places} decimals"
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(field, text, expected)
    whole, decimals = found[1], (found[2] or "").rstrip("0")
    if len(decimals) > places:
        raise InvalidInput(field, text, expected)
    value = int(whole + decimals.ljust(places, "0"))
    if value > COST_LIMIT * 10**places:
        raise InvalidInput(field, text, expected)
    return value


def decimal(value: int, places: int) -> str:
    """The canonical text of a fixed-point integer: `2500` with 3 places is `2.5`."""
    whole, rest = divmod(value, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".") if rest else str(whole)


def _cost(name: str, default: int | None, doc: str, unit: str, places: int = 3) -> Setting:
    key = f"cost.{name}"
    if default is None:
        return Setting(
            key,
            "none",
            unit,
            doc,
            lambda text: None if text.strip().casefold() in ("", "none") else fixed(key, text, places),
            lambda value: "none" if value is None else decimal(value, places),
        )
    return Setting(
        key,
        decimal(default, places),
        unit,
        doc,
        lambda text: fixed(key, text, places),
        lambda value: decimal(value, places),
    )


def _count(key: str, default: str, unit: str, doc: str, most: int, *, optional: bool = False) -> Setting:
    expected = f"a whole number from 1 to {most}" + (", or none" if optional else "")

    def read(text: str) -> int | None:
        plain = text.strip()
        if optional and plain.casefold() in ("", "none"):
            return None
        if not (plain.isascii() and plain.isdigit() and len(plain) < 20 and 1 <= int(plain) <= most):
            raise InvalidInput(key, text, expected)
        return int(plain)

    return Setting(key, default, unit, doc, read, lambda value: "none" if value is None else str(value))


def _read_strategy(text: str) -> str:
    name = text.strip()
    if not _STRATEGY.fullmatch(name):
        raise InvalidInput("strategy", text, "the name of a strategy, or package.module:function")
    return name


def _read_short(text: str) -> str:
    policy = text.strip().casefold()
    if policy not in SHORT_POLICIES:
        raise InvalidInput("short", text, "one of " + ", ".join(SHORT_POLICIES))
    return policy


def _read_currency(text: str) -> str:
    label = text.strip().upper()
    if label and not (len(label) == 3 and label.isascii() and label.isalpha()):
        raise InvalidInput("currency", text, "a currency code of three letters, such as USD")
    return label


def _read_markets(text: str) -> str:
    groups: list[list[str]] = []
    seen: set[str] = set()
    for part in text.split(";"):
        group = sorted({word.strip().upper() for word in part.split(",") if word.strip()})
        for country in group:
            if country not in COUNTRIES:
                raise InvalidInput("markets", country, "an ISO 3166 country code of two letters, such as US")
            if country in seen:
                raise InvalidInput("markets", text, f"a list of markets that name {country} once")
            seen.add(country)
        if group:
            groups.append(group)
    return ";".join(",".join(group) for group in sorted(groups))


def _read_channels(text: str) -> tuple[str, ...]:
    named = [word.strip().casefold() for word in text.split(",") if word.strip()]
    for name in named:
        if name not in CHANNELS:
            raise InvalidInput("notify.channel", name, "one or several of " + ", ".join(sorted(CHANNELS)))
    return tuple(channel for channel in CHANNELS if channel in named)


def _notify(name: str, unit: str, doc: str, kind: str = "") -> Setting:
    """A setting of notifications that may be empty. `kind`: what reads it in addresses.py; none: a folder, as it is."""
    key = f"notify.{name}"

    def read(text: str) -> Any:
        plain = text.strip()
        if kind and plain:
            from orderstate import addresses  # only who tells customers needs it

            return getattr(addresses, kind)(key, plain)
        if not plain.isprintable():
            raise InvalidInput(key, text, "the path of a folder")
        return plain or None

    return Setting(key, "", unit, doc, read, lambda value: "" if value is None else str(value))


_PER_SHIPMENT, _PER_UNIT = "minor units per shipment", "minor units per unit of goods"
_DECLARED = (
    Setting(
        "strategy",
        "cheapest",
        "name",
        "The strategy that plans an order: a registered name, or package.module:function.",
        _read_strategy,
        str,
    ),
    Setting(
        "short",
        "backorder",
        "policy",
        "What an order does when stock does not cover it, unless it says so itself: backorder, split or refuse.",
        _read_short,
        str,
    ),
    Setting(
        "markets",
        "",
        "countries",
        "Countries that count as domestic among themselves: `AT,CH,DE;CA,US` is two markets. "
        "A country that is not named is a market alone.",
        _read_markets,
        str,
    ),
    Setting("currency", "", "code", "The label that amounts are shown with; empty: none.", _read_currency, str),
    _count(
        "max_shipments",
        "none",
        "shipments",
        "The most facilities that may ship one order; none: as many as it takes.",
        10_000,
        optional=True,
    ),
    _count(
        "node_limit",
        "1000",
        "nodes",
        "Search nodes that a strategy may open for one order before it returns the best plan found, with its gap.",
        10_000_000,
    ),
    _cost("handling", DEFAULT_COSTS.handling, "Preparing a shipment at a facility.", _PER_SHIPMENT),
    _cost(
        "carrier_base", DEFAULT_COSTS.carrier_base, "What a carrier takes before the first kilometre.", _PER_SHIPMENT
    ),
    _cost(
        "split_penalty",
        DEFAULT_COSTS.split_penalty,
        "What each shipment after the first costs beyond its freight: a second parcel at the door.",
        "minor units per shipment after the first",
    ),
    _cost(
        "per_km", DEFAULT_COSTS.per_km, "Freight from facility to destination, or to the gateway.", "minor units per km"
    ),
    _cost(
        "air_per_km",
        DEFAULT_COSTS.air_per_km,
        "Freight from the gateway to a destination abroad.",
        "minor units per km",
    ),
    _cost("export_fee", DEFAULT_COSTS.export_fee, "Papers and customs of a shipment abroad.", _PER_SHIPMENT),
    _cost("rate_per_kg", DEFAULT_COSTS.rate_per_kg, "Freight by weight, whatever the distance.", "minor units per kg"),
    _cost(
        "rate_per_kg_km",
        DEFAULT_COSTS.rate_per_kg_km,
        "Freight by weight and distance.",
        "minor units per kg and km",
        places=6,
    ),
    _cost("pick", DEFAULT_COSTS.pick, "Picking one unit of goods.", _PER_UNIT),
    _cost("back_penalty", DEFAULT_COSTS.back_penalty, "Taking one unit from back stock instead of primary.", _PER_UNIT),
    _cost(
        "backorder",
        None,
        "What one unit that is not filled costs. none: more than any plan, so filling the order comes first.",
        "minor units per unit short",
    ),
    Setting(
        "notify.channel",
        "console",
        "channels",
        "How customers are told: console, file, smtp, webhook, or several, separated by commas; empty: not at all.",
        _read_channels,
        ",".join,
    ),
    _notify("templates", "folder", "Templates of your own, which replace the built-in ones of the same name."),
    _notify("from", "mailbox", "Who writes the mails: `Mug Shop <orders@example.org>`.", "mailbox"),
    _notify(
        "smtp",
        "URL",
        "The mail server: `smtp://user@host:587?tls=starttls`; its password is in ORDERSTATE_SMTP_PASSWORD.",
        "mail_server",
    ),
    _notify("webhook", "URL", "Where the webhook posts to; its secret is in ORDERSTATE_WEBHOOK_SECRET.", "webhook"),
    _notify("folder", "folder", "Where the file channel writes a mail each."),
)

SETTINGS: Mapping[str, Setting] = MappingProxyType({setting.key: setting for setting in _DECLARED})
"""Every setting by key."""

FACILITY_COSTS = (
    "handling",
    "carrier_base",
    "per_km",
    "air_per_km",
    "export_fee",
    "rate_per_kg",
    "rate_per_kg_km",
    "pick",
    "back_penalty",
)
"""The costs that a facility may override. Split penalty and backorder cost belong to the order, not to a place."""


def _places(name: str) -> int:
    if name not in FACILITY_COSTS:
        raise NotFound.named("facility cost", name, FACILITY_COSTS)
    return 6 if name == "rate_per_kg_km" else 3


def parse(key: str, text: str) -> str:
    """The canonical text of a setting's value, as it is stored.

    Raises NotFound for an unknown key and InvalidInput, with the key as its field, for a value that cannot be used.
    """
    setting = SETTINGS.get(key)
    if setting is None:
        raise NotFound.named("setting", key, list(SETTINGS))
    return setting.write(setting.read(text))


def facility_cost(name: str, text: str) -> int:
    """A cost that one facility overrides, as the integer that `Facility.costs` holds; `cost.` before the name is fine.

    1/1000 of the minor unit, but `rate_per_kg_km`: 1/1,000,000. Raises NotFound for a cost that a facility has not, and
    InvalidInput for an amount that is none.
    """
    plain = name.removeprefix("cost.")
    return fixed(plain, text, _places(plain))


def facility_cost_text(name: str, value: int) -> str:
    """The inverse of `facility_cost`: `{"per_km": 500}` reads `0.5`."""
    return decimal(value, _places(name))


@dataclass(frozen=True, slots=True)
class Notify:
    """How customers are told, as typed values. Folders are as they were written, relative ones too."""

    channels: tuple[str, ...]
    templates: str | None = None
    sender: Mailbox | None = None
    smtp: MailServer | None = None
    webhook: str | None = None
    folder: str | None = None

    @classmethod
    def read(cls, rows: Mapping[str, str]) -> Notify:
        """From stored rows, or from what `Engine.settings` shows. Raises InvalidInput with the key as its field."""
        names = ("channel", "templates", "from", "smtp", "webhook", "folder")
        declared = [SETTINGS[f"notify.{name}"] for name in names]
        return cls(*(setting.read(rows.get(setting.key, setting.default)) for setting in declared))


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that commands decide by, as typed values.

    `markets` is the canonical text that `geo.Markets.read` takes.
    """

    strategy: str
    short: str
    markets: str
    currency: str
    max_shipments: int | None
    node_limit: int
    costs: Costs

    @classmethod
    def read(cls, rows: Mapping[str, str]) -> Settings:
        """Settings from stored rows. Missing: the default. A key that is not declared belongs to another room: left.

        No transaction decides by how customers are told, so those rows are left too: `Notify.read`.

        Raises InvalidInput, with the key as its field, for a stored value that cannot be used.
        """
        values = {
            key: setting.read(rows.get(key, setting.default))
            for key, setting in SETTINGS.items()
            if not key.startswith(("cost.", "notify."))
        }
        costs = {
            key.removeprefix("cost."): SETTINGS[key].read(text)
            for key, text in rows.items()
            if key.startswith("cost.") and key in SETTINGS
        }
        return cls(costs=replace(DEFAULT_COSTS, **costs) if costs else DEFAULT_COSTS, **values)


DEFAULTS = Settings.read({})
"""The settings of a new database."""
