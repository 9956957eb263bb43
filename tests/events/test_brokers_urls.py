"""URLs of brokers: what they mean, what is refused, and that no password is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstate.errors import InvalidInput, NotFound, NotInstalled, OrderstateError
from orderstate.events.brokers import name, sink, source
from orderstate.events.brokers.address import login_refused, parsed
from orderstate.events.brokers.backlog import Backlog
from orderstate.events.brokers.extras import needed


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://localhost", "nats://localhost:4222/orderstate"),
        ("nats://u:p@a,b:4333/orders?tls=yes", "nats://a:4222,b:4333/orders"),
        ("kafka://b1:9093,b2/orders", "kafka://b1:9093,b2:9092/orders"),
        ("amqp://u:p@host/orders", "amqp://host:5672/orders"),
        ("amqps://host/%2F/orders", "amqps://host:5671/orders"),
        ("amqp://host/sales/", "amqp://host:5672/sales/orderstate"),
        ("redis://:p@host/0", "redis://host:6379/orderstate"),
        ("rediss://host/2/orders", "rediss://host:6379/2/orders"),
        ("NATS://[::1]:5/x", "nats://[::1]:5/x"),
        ("https://u:p@host/a/b#timeout=3", "https://host:443/a/b"),
        ("https://u:p@host/a/b?token=secret#timeout=3", "https://host:443/a/b?sha256=1359227d95e1ba80"),
        ("nats://T0KEN@host", "nats://host:4222/orderstate"),
        ("-", "-"),
        ("file:///tmp/a%20b.ndjson", "/tmp/a b.ndjson"),
    ],
)
def test_a_name_is_the_url_written_out_without_login_and_options(url: str, shown: str) -> None:
    assert name(url) == shown


def test_a_file_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert name("events.ndjson") == name(f"{tmp_path}/events.ndjson") == str(tmp_path / "events.ndjson")


@pytest.mark.parametrize(
    "url",
    [
        "nats://u:hidden@host/a/b",
        "nats://u:hidden@host/a.b",
        "nats://u:hidden@host:port/a",
        "kafka://u:hidden@/a",
        "kafka://u:hidden@host/a/b",
        "kafka://u:hidden@host/a?sasl=ROT13",
        "redis://u:hidden@host/x/y",
        "amqp://u:hidden@host/a/b/c",
        "amqp://u:hidden@host/a%20b",
        "amqp://u:hidden@host/a?prefetch=0",
        "amqp://u:hidden@host/a?declare=maybe",
        "nats://u:hidden@host/a?timeout=-1",
        "nats://u:hidden@host/a?timeout=x",
        "https://u:hidden@host/a#together=1000",
        "rediss://u:hidden@host/a?ca=/nowhere",
        "amqps://u:hidden@host/a?cert=/nowhere",
        "mqtt://u:hidden@host/a",
        "nats://u:hidden@host/a?pasword=1",
        "nats:u:hidden@host",
        "nats:/u:hidden@host",
        "NATS:u:hidden@host://x",
        "natz:u:hidden@host://x",
        "redis:u:hidden@host:6379",
        "amqps:u:hidden@host",
        "https:u:hidden@host/hook",
        "file:hidden",
        "nats://u:hidden@h1,u2:hidden@h2",
        "nats://h1,u2:hidden@h2",
        "kafka://u:hidden@h1,hidden@h2/orders",
        "redis://hidden@host",
        "rediss://hidden@host/orders",
        "redis://u:hidden@h1,h2",
        "https://u:hidden@h1,h2/hook",
    ],
)
def test_what_cannot_be_used_is_refused_without_the_password(url: str) -> None:
    with pytest.raises(OrderstateError) as refused:
        sink(url)
    assert isinstance(refused.value, InvalidInput | NotFound)
    assert "hidden" not in str(refused.value.document())


def test_an_unknown_broker_names_the_known() -> None:
    with pytest.raises(NotFound, match="unknown broker 'natz://'") as unknown:
        sink("natz://host")
    assert "did you mean nats://" in str(unknown.value.hint)


def test_a_web_address_is_only_written_to() -> None:
    with pytest.raises(InvalidInput, match="a web address is only written to"):
        source("https://user:hidden@host/")


def test_a_group_must_be_a_plain_name() -> None:
    with pytest.raises(InvalidInput, match="group"):
        source("kafka://host/orders", "a b")
    with pytest.raises(InvalidInput, match="without dots"):
        source("nats://host/orders", "a.b")


def test_the_password_comes_from_the_environment_where_the_url_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSTATE_BROKER_PASSWORD", "from outside")
    assert parsed("nats://relay@host/").password == "from outside"
    assert parsed("nats://relay:own@host/").password == "own"
    assert "from outside" not in repr(parsed("nats://relay@host/"))


def test_a_slip_in_a_url_says_how_it_begins_and_how_such_a_file_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"^broker: 'nats:...' is not a URL: it begins with nats://$") as refused:
        name("nats:user:hidden@host")
    assert refused.value.hint == "a file of that name is ./nats:..."
    assert name("./nats:notes").endswith("/nats:notes")


def test_several_logins_say_where_one_stands() -> None:
    with pytest.raises(InvalidInput, match="one login for all hosts, as nats://USER:PASSWORD@HOST,HOST/NAME"):
        parsed("nats://u:p@h1,u2:p2@h2")
    both = parsed("nats://u:p%2Cq%40r@h1,h2")
    assert (both.user, both.password, both.hosts) == ("u", "p,q@r", (("h1", 4222), ("h2", 4222)))


def test_a_user_without_a_password_may_be_a_token_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    token = parsed("nats://T0KEN@host")
    assert (token.user, token.password) == (None, "T0KEN")
    alone = parsed("https://T0KEN@host")
    monkeypatch.setenv("ORDERSTATE_BROKER_PASSWORD", "from outside")
    for address in (token, alone, parsed("nats://T0KEN@host"), parsed("redis://T0KEN@host")):
        assert "T0KEN" not in login_refused(address, "it").reason
        assert address.clean("no T0KEN here") == "no *** here"
    assert "user 'relay'" in login_refused(parsed("amqp://relay@host"), "it").reason


def test_two_queries_are_two_sinks_and_none_is_shown() -> None:
    names = {
        name(f"https://host/hook{query}")
        for query in ("", "?tenant=hidden", "?tenant=other", "?tenant=other#timeout=3")
    }
    assert len(names) == 3
    assert "https://host:443/hook" in names
    assert not any("hidden" in one or "other" in one for one in names)
    address = parsed("https://host/hook?tenant=hidden")
    assert address.clean("Cannot POST /hook?tenant=hidden.") == "Cannot POST /hook?***"


@given(st.text(st.characters(codec="ascii", exclude_characters="/"), min_size=1), st.text(min_size=4))
def test_no_text_of_a_client_shows_the_password(user: str, password: str) -> None:
    from urllib.parse import quote

    address = parsed(f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@host/x")
    assert address.password == password
    said = address.clean(f"cannot log in to amqp://u:{quote(password, safe='')}@host with {password}!")
    assert f" {password}!" not in said
    assert f":{quote(password, safe='')}@" not in said


def test_a_client_that_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(NotInstalled, match="nats needs no_such_client") as missing:
        needed("no_such_client", "nats")
    assert "pip install 'orderstate[nats]'" in str(missing.value.hint)


@given(st.lists(st.sampled_from(["take", "done", "again", "fetch", "forget"]), max_size=60))
def test_a_backlog_hands_out_in_order_and_loses_nothing(steps: list[str]) -> None:
    backlog: Backlog[int] = Backlog()
    fetched = 0
    finished: list[int] = []
    dropped: set[int] = set()
    out: list[tuple[int, object]] = []
    for step in steps:
        match step:
            case "fetch":
                assert backlog.add((fetched,), fetched, str(fetched).encode(), "k", {})
                assert not backlog.add((fetched,), fetched, b"twice", "k", {})
                fetched += 1
            case "take":
                found = backlog.take(2)
                numbers = [int(one.body) for one in found]
                free = sorted(set(range(fetched)) - set(finished) - dropped - {number for number, _ in out})
                assert numbers == free[:2]
                out += zip(numbers, found, strict=True)
            case "done" if out:
                number, one = out.pop(0)
                one.done()  # type: ignore[attr-defined] # zip widens it to object
                one.done()  # type: ignore[attr-defined] # said twice, it counts once
                finished.append(number)
            case "again" if out:
                out.pop()[1].again()  # type: ignore[attr-defined] # zip widens it to object
            case "forget" if out:
                number, one = out.pop()
                backlog.forget((number,))
                one.again()  # type: ignore[attr-defined] # of no effect any more
                dropped.add(number)
            case _:
                pass
    assert [slot.token for slot in backlog.settled()] == finished
    assert set(backlog.held) == {(number,) for number in set(range(fetched)) - set(finished) - dropped}
