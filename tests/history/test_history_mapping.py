"""Mapping files: what they say, and which mistake is named where."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from orderstate.errors import InvalidInput, NotFound
from orderstate.geo import destination
from orderstate.history import OrderMapping, built_in
from orderstate.history.loading import KEYS
from orderstate.history.mapping import FIELDS

SMALL = """
columns:
  order: Name
  date: Created at
  sku: Lineitem sku
  quantity: Lineitem quantity
  country: Shipping Country
"""


def read(folder: Path, text: str) -> OrderMapping:
    path = folder / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return OrderMapping.load(path)


def test_a_few_lines_are_a_mapping(tmp_path: Path) -> None:
    mapping = read(tmp_path, SMALL)
    assert mapping.name == "map"
    assert mapping.order_id("#1001") == "OR-1001"
    assert mapping.moment("2026-01-01T00:00:00") == 1_767_225_600_000_000
    assert mapping.moment("2026-01-01 00:00:00+01:00") == 1_767_222_000_000_000
    assert mapping.where("de", "", "1") == "DE"
    assert (mapping.timezone, mapping.encoding, mapping.delimiter, mapping.leave_out) == (UTC, "utf-8-sig", ",", ())


def test_every_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "towns.csv").write_text("town,latitude,longitude\nBonn,50.73,7.1\nKiel,54.32,10.14\n", encoding="utf-8")
    mapping = read(
        tmp_path,
        SMALL.replace("country: Shipping Country", "country: Land\n  customer: Kunde")
        + """
name: laden
encoding: cp1252
delimiter: tab
date_format: "%d.%m.%Y %H:%M"
timezone: "+01:00"
order_prefix: L
sku_case: upper
cancellation: "S.*"
countries: {Norwegen: NO, Deutschland: de}
towns: {country: DE, file: towns.csv}
leave_out:
  - {field: sku, matches: "PORTO|RABATT", reason: not goods}
  - {field: quantity, at_most: 0, reason: adjustment}
  - {field: customer, missing: true, reason: nobody}
""",
    )
    assert (mapping.name, mapping.encoding, mapping.delimiter, mapping.upper_sku) == ("laden", "cp1252", "\t", True)
    assert mapping.moment("01.01.2026 01:00") == 1_767_225_600_000_000
    assert mapping.timezone.utcoffset(None) == timedelta(hours=1)
    assert mapping.order_id("77") == "L77"
    assert mapping.cancellation is not None
    assert mapping.cancellation.fullmatch("S12")
    assert mapping.where("Norwegen", "3", "9") == "NO"
    assert [mapping.where("Deutschland", customer, "9") for customer in ("2", "3", "")] == [
        "DE@50.73,7.1",
        "DE@54.32,10.14",
        "DE@54.32,10.14",
    ]
    goods, adjustment, nobody = mapping.leave_out
    assert goods.holds("PORTO", 1)
    assert not goods.holds("PORTOKASSE", 1)
    assert adjustment.holds("0", 0)
    assert not adjustment.holds("1", 1)
    assert not adjustment.holds("x", None)
    assert nobody.holds("", 1)
    assert not nobody.holds("x", 1)


def test_a_customer_that_is_no_number_has_a_town_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("latitude,longitude\n1,1\n2,2\n3,3\n", encoding="utf-8")
    mapping = read(tmp_path, SMALL + "towns: {country: GB, file: t.csv}\n")
    found = {mapping.where("GB", f"anna-{n}", "1") for n in range(40)}
    assert found == {"GB@1,1", "GB@2,2", "GB@3,3"}
    assert mapping.where("GB", "anna-1", "1") == mapping.where("GB", "anna-1", "2")


def test_all_orders_may_go_to_one_country(tmp_path: Path) -> None:
    text = SMALL.replace("  country: Shipping Country\n", "") + "country: us\n"
    assert read(tmp_path, text).where("", "", "1") == "US"


def test_a_column_may_hold_whole_destinations(tmp_path: Path) -> None:
    text = SMALL.replace("country: Shipping Country", "destination: To")
    assert read(tmp_path, text).where("us@39.740,-104.99", "", "1") == "US@39.74,-104.99"


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ("colour: red", "colour", "one of the fields"),
        ("columns: Name", "columns", "names with values"),
        ("name: a b", "name", "letters"),
        ("encoding: klingon", "encoding", "an encoding"),
        ("encoding: rot13", "encoding", "an encoding"),
        ("delimiter: ';;'", "delimiter", "one character"),
        ("date_format: yesterday", "date_format", "strptime"),
        ("date_format: '%Q'", "date_format", "strptime"),
        ("timezone: Mars/Olympus", "timezone", "UTC"),
        ("timezone: '+99:00'", "timezone", "UTC"),
        ("order_prefix: '7'", "order_prefix", "a letter first"),
        ("sku_case: lower", "sku_case", "as_is, upper"),
        ("country: US", "columns", "one of country and destination"),
        ("countries: {Atlantis: XX}", "countries.Atlantis", "ISO 3166"),
        ("countries: [US]", "countries", "names with values"),
        ("cancellation: '('", "cancellation", "regular expression"),
        ("leave_out: no", "leave_out", "a list"),
        ("leave_out: [sku]", "leave_out[0]", "a rule"),
        ("leave_out: [{field: price, at_most: 0, reason: r}]", "leave_out[0].field", "under columns"),
        ("leave_out: [{field: customer, missing: true, reason: r}]", "leave_out[0].field", "under columns"),
        ("leave_out: [{field: sku, matches: A}]", "leave_out[0].reason", "words"),
        ("leave_out: [{field: sku, reason: r}]", "leave_out[0]", "one of matches, at_most and missing"),
        ("leave_out: [{field: sku, matches: '(', reason: r}]", "leave_out[0].matches", "regular expression"),
        ("leave_out: [{field: sku, at_most: 1, reason: r}]", "leave_out[0].at_most", "about the quantity"),
        ("leave_out: [{field: quantity, at_most: few, reason: r}]", "leave_out[0].at_most", "a whole number"),
        ("leave_out: [{field: sku, missing: no, reason: r}]", "leave_out[0].missing", "true"),
        ("leave_out: [{field: sku, when: x, reason: r}]", "leave_out[0].when", "one of the fields"),
        ("towns: towns.csv", "towns", "a country and a file"),
        ("towns: {country: GB, file: none.csv}", "towns.file", "beside the mapping"),
        ("towns: {country: Albion, file: map.yaml}", "towns.country", "ISO 3166"),
    ],
)
def test_a_mistake_is_named_with_file_and_field(tmp_path: Path, change: str, field: str, expected: str) -> None:
    key = change.partition(":")[0]
    kept = "" if key == "columns" else SMALL
    with pytest.raises(InvalidInput) as wrong:
        read(tmp_path, f"{kept}\n{change}\n")
    assert wrong.value.values["field"] == f"{tmp_path / 'map.yaml'}: {field}"
    assert expected in wrong.value.sentence


@pytest.mark.parametrize("missing", ["order", "date", "sku", "quantity", "country"])
def test_a_column_that_must_be_there_is_named(tmp_path: Path, missing: str) -> None:
    text = "\n".join(line for line in SMALL.splitlines() if not line.startswith(f"  {missing}:"))
    with pytest.raises(InvalidInput, match=f"complete.*{missing}"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columns: {order: [", "line 1"),
        (SMALL + "name: a\nname: b\n", "'name' is given twice"),
        ("just words", "a mapping of fields"),
        ("", "a mapping of fields"),
        ("name: \x07", "YAML that can be read"),
    ],
)
def test_what_is_no_mapping_at_all_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=r"map\.yaml") as wrong:
        read(tmp_path, text)
    assert said in wrong.value.sentence


def test_a_mapping_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_bytes(SMALL.encode() + "# Größe\n".encode("cp1252"))
    with pytest.raises(InvalidInput, match="UTF-8"):
        OrderMapping.load(path)


@pytest.mark.parametrize("town", ["Nowhere,91,0", "Nowhere,north,0", "Nowhere,1"])
def test_a_town_without_a_position_is_named_by_its_row(tmp_path: Path, town: str) -> None:
    (tmp_path / "t.csv").write_text(f"town,latitude,longitude\nBonn,50.73,7.1\n{town}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"t\.csv: row 3"):
        read(tmp_path, SMALL + "towns: {country: DE, file: t.csv}\n")


def test_a_table_without_towns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("town,latitude,longitude\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="and towns"):
        read(tmp_path, SMALL + "towns: {country: DE, file: t.csv}\n")


def test_an_unknown_name_offers_the_built_in_ones() -> None:
    with pytest.raises(NotFound) as unknown:
        OrderMapping.load("online-retial")
    assert unknown.value.code == "unknown_mapping"
    assert unknown.value.hint == "did you mean online-retail?"


def test_the_built_in_mapping_loads_and_knows_every_country_of_its_file() -> None:
    assert built_in() == ("online-retail",)
    mapping = OrderMapping.load("online-retail")
    assert len(mapping.countries) == 38
    assert mapping.countries["Norway"] == "NO"
    assert mapping.countries["EIRE"] == "IE"
    assert mapping.towns is not None
    assert len(mapping.towns.destinations) == 40
    assert mapping.where("United Kingdom", "17850", "536365") == mapping.towns.destinations[17850 % 40]
    assert mapping.where("United Kingdom", "", "536365") == mapping.towns.destinations[536365 % 40]
    assert all(-8.7 < float(str(destination(t).longitude)) < 1.8 for t in mapping.towns.destinations)


def test_order_history_can_be_imported_without_yaml_until_a_mapping_is_read() -> None:
    script = "import sys, orderstate.history; assert 'yaml' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_document_shows_every_field_of_a_mapping_and_its_lines_load(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    shown = text.split("```yaml\n")[1].split("```")[0]
    assert {line.split(":")[0] for line in shown.splitlines() if line[0].isalpha()} == set(KEYS)
    assert {field for field in FIELDS if f"  {field}:" in shown} == set(FIELDS) - {"destination"}
    (tmp_path / "towns.csv").write_text("town,latitude,longitude\nLondon,51.5,-0.1\n", encoding="utf-8")
    one_country = "\n".join(line for line in shown.splitlines() if not line.startswith("country:"))
    assert len(read(tmp_path, one_country).leave_out) == 3
    with pytest.raises(InvalidInput, match="one of country and destination"):
        read(tmp_path, shown)
