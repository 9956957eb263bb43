"""Real brokers and real processes that are killed at random: each order has its effect exactly once."""

from __future__ import annotations

from pathlib import Path

import chaos
import pytest
from servers import Server, kafka_server, nats_server, rabbit_server, redis_server

pytest_plugins = ["broker_fixtures"]

__all__ = ["kafka_server", "nats_server", "rabbit_server", "redis_server"]

BROKERS = ["nats_server", "redis_server", "rabbit_server", "kafka_server"]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """The broker that a test is given by name."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def test_a_few_kills_change_nothing(nats_server: Server, tmp_path: Path) -> None:
    found = chaos.chaos(nats_server, tmp_path, orders=150, kills=3, seed=11)
    assert (found.orders, found.wrong) == (150, 0)
    chaos.check(tmp_path, 150)


@pytest.mark.heavy
@pytest.mark.parametrize("server", BROKERS, indirect=True)
def test_every_broker_survives_kills_of_all_and_of_itself(server: Server, tmp_path: Path) -> None:
    found = chaos.chaos(server, tmp_path, orders=1500, kills=25, restarts=3 if server.can_restart else 0, seed=21)
    assert (found.orders, found.wrong) == (1500, 0)
    chaos.check(tmp_path, 1500)


@pytest.mark.heavy
def test_without_the_inbox_the_same_kills_cancel_units_twice(nats_server: Server, tmp_path: Path) -> None:
    """The control: if it showed nothing, the tests above would prove nothing."""
    found = chaos.chaos(nats_server, tmp_path, orders=1500, kills=40, seed=31, without_inbox=True)
    assert found.wrong > 0
