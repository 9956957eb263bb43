"""The report of a simulation: one page that loads nothing, says everything in text too, and trusts no file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from histories import SHOP, orders_file

from orderstate.errors import NotFound, NotInstalled
from orderstate.history.report_page import report_page, write_report
from orderstate.history.simulate import Simulation, simulate

FACILITIES = """code,country,at,name,gateway
ATL,US,"33.75,-84.39",<script>alert(1)</script>,
DEN,US,"39.74,-104.99",$x^2$ & #0a0b05,
ODD,US,,No position,
"""
STOCK = "facility,sku,on_hand\nATL,MUG,50\nDEN,MUG,60\nDEN,CUP,9\nODD,CUP,5\n"
ORDERS = (
    "1,2024-01-01,MUG,13,c1,US",
    "2,2024-01-02,CUP,12,c2,US",
    "3,2024-01-03,MUG,20,c3,FR",
    "4,2024-01-04,MUG,30,c4,JE",
    "5,2024-01-05,MUG,99,c5,US",
)
_VOID = {"meta", "link", "br", "img", "input", "hr"}


class _Checked(HTMLParser):
    """A page taken apart: tags in balance, every id once, every attribute that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.drawings: list[str | None] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]
        if tag == "svg":
            assert given["role"] == "img"
            self.drawings.append(given.get("aria-label"))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """The little shop with a hostile name, one order that waits, flows abroad, and a facility closed."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "facilities.csv").write_text(FACILITIES)
    (folder / "stock.csv").write_text(STOCK)
    return simulate(
        orders_file(folder, *ORDERS),
        facilities=folder / "facilities.csv",
        stock=folder / "stock.csv",
        mapping=SHOP,
        strategies=["nearest", "cheapest"],
        without=["DEN"],
        settings={"currency": "USD"},
        workers=1,
    )


@pytest.fixture(scope="module")
def page(found: Simulation) -> str:
    """Its page."""
    return report_page(found)


def test_the_page_is_whole_and_loads_nothing(page: str) -> None:
    checked = _Checked(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(checked.tags)
    assert all(link.startswith("#") for link in checked.links)
    assert not re.search(r"https?:|@import|@font-face|url\((?!#)", page.replace("http://www.w3.org/2000/svg", ""))
    assert "default-src 'none'" in page


def test_every_id_is_there_once_and_every_reference_has_its_target(page: str) -> None:
    ids = _Checked(page).ids
    assert len(ids) == len(set(ids))
    wanted = re.findall(r'(?:url\(#|href="#|aria-labelledby=")([^")]+)', page)
    assert wanted
    assert set(wanted) <= set(ids)


def test_what_comes_from_files_is_text(page: str) -> None:
    assert "<script" not in page
    words = "".join(_Checked(page).words)
    assert "<script>alert(1)</script>" in words
    # Neither mathematics nor one of the drawing's own colours.
    assert "$x^2$ & #0a0b05" in words


def test_colours_are_the_pages_own_so_that_it_serves_light_and_dark(page: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.S))
    tags = "".join(re.findall(r"<[^>]*>", drawings))
    assert "var(--s1)" in tags
    assert not re.search(r"(?:fill|stroke): #", tags)
    assert "prefers-color-scheme: dark" in page
    used = set(re.findall(r"var\((--[a-z0-9]+)\)", page))
    light, dark = (set(re.findall(r"(--[a-z0-9]+): #", part)) for part in page.split("prefers-color-scheme")[:2])
    assert used - {"--columns"} <= light
    assert light == dark


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _schemes(page: str) -> Iterator[dict[str, str]]:
    for block in re.findall(r":root \{(.*?)\}", page, re.S):
        yield dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", block))


def test_contrast_is_enough_in_both_schemes(page: str) -> None:
    schemes = list(_schemes(page))
    assert len(schemes) == 2
    for scheme in schemes:

        def against(one: str, other: str, scheme: dict[str, str] = scheme) -> float:
            high, low = sorted((_luminance(scheme[one]), _luminance(scheme[other])), reverse=True)
            return (high + 0.05) / (low + 0.05)

        # WCAG 2.1: 4.5 for text (1.4.3), 3 for what is drawn (1.4.11).
        assert min(against("ink", "paper"), against("ink", "page")) >= 4.5
        assert min(against("soft", "paper"), against("soft", "page")) >= 4.5
        assert min(against("good", "paper"), against("good", "best")) >= 4.5
        assert min(against(f"s{n}", "paper") for n in range(1, 9)) >= 3


def test_every_drawing_says_what_it_shows_and_has_its_numbers_as_a_table(page: str) -> None:
    checked = _Checked(page)
    assert len(checked.drawings) >= 8
    assert all(checked.drawings)
    assert any("Freight by distance: nearest" in (label or "") for label in checked.drawings)
    assert checked.tags.count("caption") == checked.tags.count("table") >= 8


def test_the_headline_is_the_answer_in_words_and_the_best_is_marked(found: Simulation, page: str) -> None:
    best = found.outcome("cheapest")
    price = f"{best.common_cost_per_order / 100_000:,.2f} USD"
    assert price in page
    assert page.count('<span class="mark">best</span>') >= 1 or best.cost == found.outcome("nearest").cost


def test_scenarios_units_short_and_places_without_a_position_are_told(page: str) -> None:
    assert "What closing or adding a facility would do" in page
    assert "without DEN, cheapest" in page
    assert "on no map, for want of a position: JE" in page
    assert "stays behind" in page


def test_the_same_result_gives_the_same_bytes(found: Simulation, page: str) -> None:
    assert report_page(found) == page


def test_somebodys_own_matplotlib_style_changes_nothing(found: Simulation, page: str) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert report_page(found) == page


def test_a_shop_without_positions_or_stock_has_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "facilities.csv").write_text("code,country\nONE,US\n")
    (tmp_path / "stock.csv").write_text("facility,sku,on_hand\nONE,CUP,1\n")
    found = simulate(
        orders_file(tmp_path, ORDERS[0]),
        facilities=tmp_path / "facilities.csv",
        stock=tmp_path / "stock.csv",
        mapping=SHOP,
        strategies=["nearest"],
        workers=1,
    )
    page = report_page(found)
    _Checked(page)
    assert "Nothing could be shipped" in page
    assert "No facility has a position" in page


def test_the_file_is_written_whole(found: Simulation, page: str, tmp_path: Path) -> None:
    write_report(found, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    with pytest.raises(NotFound, match=r"there is no folder .*nowhere"):
        write_report(found, tmp_path / "nowhere" / "report.html")


def test_without_matplotlib_the_hint_names_the_extra(
    found: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NotInstalled) as raised:
        write_report(found, tmp_path / "report.html")
    assert raised.value.exit_status == 9
    assert raised.value.hint == "pip install 'orderstate[report]'"
    assert not list(tmp_path.iterdir())
