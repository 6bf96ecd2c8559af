"""A modular monolith: one application, one worker of the same program, one database; healthy."""

from tracelith.simulate.flow import Answer, Consumer, Entry, External, Operation, Query, Step, Task
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import Monorepo, ReleaseHabit
from tracelith.simulate.systems.parts import NETWORK, POLL, change, kafka, look_up, postgresql, send, work
from tracelith.simulate.topology import Service, System

__all__ = ["MODULAR"]

README = """\
# modular

A shop that is one program, and means to be.

**app** answers every request. Inside are modules with names and borders: catalogue, basket, orders, payments. They call
each other as functions, which take microseconds and never time out. What can wait, mails and invoices, app puts on a
queue; **worker** takes it from there. The worker is the same program started with another argument, because a mail that
hangs should not keep a customer waiting.

There is one PostgreSQL database. Both processes use it, as one program may: one team owns it, one release changes code
and tables together. App and worker are built from one commit and restarted one after the other, most working days.

Nothing is distributed here that could be a distributed monolith. A request needs one service, a feature needs one pull
request, and when the worker is away for an hour, mails come an hour later. `truth.json` says the same in numbers.
"""

_app = Service("app", "python", 4, "2026")
_worker = Service("worker", "python", 2, "2026")

_shop_db = postgresql("shop-db", "shop.public")
_jobs = kafka("jobs", partitions=4)


def _read(table: str, *joins: str) -> Query:
    return look_up(_shop_db, table, *joins)


def _write(action: str, table: str) -> Query:
    return change(_shop_db, action, table)


def _module(name: str, *steps: Step) -> Task:
    return Task(name, steps)


_product = Operation(
    _app,
    "GET",
    "/products/{id}",
    (work(0.9, 4), _module("catalogue.show", _read("products", "prices"), work(1.2, 5)), Answer(0.02, 404)),
)
_search = Operation(
    _app,
    "GET",
    "/search",
    (work(0.9, 4), _module("catalogue.search", Query(_shop_db, "SELECT", "products", Latency(12, 45)), work(2.0, 8))),
)
_fill = Operation(
    _app, "PUT", "/basket", (work(0.8, 4), _module("basket.fill", _write("UPDATE", "baskets"), work(0.6, 3)))
)
_place = Operation(
    _app,
    "POST",
    "/orders",
    (
        work(1.0, 5),
        _module("basket.read", _read("baskets", "prices")),
        Answer(0.02, 422),
        _module("payments.charge", work(32, 95), _write("INSERT", "payments")),
        _module("orders.place", _write("INSERT", "orders"), _write("INSERT", "order_lines")),
        send(_jobs),
        work(0.6, 3),
    ),
)
_order = Operation(
    _app,
    "GET",
    "/orders/{id}",
    (work(0.8, 4), _module("orders.show", _read("orders", "order_lines", "products"), work(1.1, 5)), Answer(0.02, 404)),
)

MODULAR = System(
    name="modular",
    title="One application of several modules, one worker, one database, one release; nothing to warn about",
    readme=README,
    services=(_app, _worker),
    entries=(
        Entry(_product, share=32),
        Entry(_search, share=18),
        Entry(_fill, share=16),
        Entry(_place, share=22),
        Entry(_order, share=12),
    ),
    consumers=(
        Consumer(
            _worker,
            _jobs,
            "worker",
            POLL,
            (
                work(1.2, 5),
                _read("orders", "order_lines"),
                _module("billing.invoice", work(8, 30), _write("INSERT", "invoices")),
                External("api.mail-provider.example", "POST", "/v3/send", Latency(95, 480)),
                _write("UPDATE", "orders"),
            ),
            own_trace=True,
        ),
    ),
    habits=(ReleaseHabit(("app",), per_week=3.5),),
    monorepos=(Monorepo(("app", "worker"), all_at_once=True),),
    network=NETWORK,
    table_owners=dict.fromkeys(
        ("baskets", "invoices", "order_lines", "orders", "payments", "prices", "products"), "app"
    ),
    planted={"tail": None, "codeploying_groups": [["app", "worker"]], "distributed_monolith": False},
)
