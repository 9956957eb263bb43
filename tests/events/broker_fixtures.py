"""Fixtures that every test of events may ask for: real brokers, started when the first test needs one."""

from servers import kafka_server, nats_server, rabbit_server, redis_server

__all__ = ["kafka_server", "nats_server", "rabbit_server", "redis_server"]
