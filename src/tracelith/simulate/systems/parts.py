"""Ordinary parts of which the systems are put together: a bit of work, a look-up, a change, a message."""

from tracelith.simulate.flow import Publish, Query, Work
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Database, Topic

__all__ = ["CHANGE", "LOOK_UP", "NETWORK", "POLL", "SEND", "change", "kafka", "look_up", "postgresql", "send", "work"]

LOOK_UP = Latency(1.6, 7)  # a row by its key
CHANGE = Latency(2.8, 12)  # a row written, with its commit
SEND = Latency(1.2, 6)  # a message, with the broker's acknowledgement
POLL = Latency(140, 900)  # consumers poll in small batches
NETWORK = Latency(0.35, 1.6)  # one way between two services of one data centre

_READ_FAILS, _WRITE_FAILS = 0.0003, 0.0005  # statements that run into their timeout on an ordinary day


def work(median_ms: float, p99_ms: float) -> Work:
    """The service computes for about so long."""
    return Work(Latency(median_ms, p99_ms))


def look_up(database: Database, table: str, *joins: str) -> Query:
    """One row of a table by its key, with what belongs to it in further tables."""
    return Query(database, "SELECT", table, LOOK_UP, failure=_READ_FAILS, joins=joins)


def change(database: Database, action: str, table: str) -> Query:
    """One row of a table inserted, updated or deleted."""
    return Query(database, action, table, CHANGE, failure=_WRITE_FAILS)


def send(topic: Topic) -> Publish:
    """A message that nobody waits for."""
    return Publish(topic, SEND)


def postgresql(server: str, namespace: str) -> Database:
    """A database of the PostgreSQL server of that name."""
    return Database("postgresql", f"{server}.internal", 5432, namespace)


def kafka(destination: str, partitions: int = 6) -> Topic:
    """A topic of the one Kafka cluster that a system has."""
    return Topic("kafka", "broker.internal", 9092, destination, partitions)
