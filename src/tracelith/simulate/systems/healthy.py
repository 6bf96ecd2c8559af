"""A shop of two services that leave each other alone: own data, a queue between them, deployed at their own times."""

from tracelith.simulate.flow import Answer, Consumer, Entry, Job, Operation, Publish, Query, Sometimes, Task, Work
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.topology import Database, Service, System, Topic

__all__ = ["HEALTHY"]

README = """\
# healthy

A shop with two services and a reason for each.

**order** takes orders and shows them. **inventory** knows what is on the shelves. Neither asks the other anything while
a customer waits. When an order is placed, order writes it down, publishes `order-placed` and answers. Inventory picks
the message up, usually within a second, reserves the goods and publishes `stock-reserved`, and order marks the order as
confirmed. If inventory is away for an hour, orders are confirmed an hour later and nobody sees an error.

Each service has its own PostgreSQL server. Each team deploys when it likes, a few times a week.

Some requests are slower than others and a few fail, as in every system. There is nothing here to warn about, and a tool
that warns is wrong. `truth.json` says the same in numbers.
"""

_order = Service("order", "java", 3, "7.3")
_inventory = Service("inventory", "go", 2, "2.11")

_orders_db = Database("postgresql", "order-db.internal", 5432, "orders.public")
_stock_db = Database("postgresql", "inventory-db.internal", 5432, "stock.public")
_order_placed = Topic("kafka", "broker.internal", 9092, "order-placed")
_stock_reserved = Topic("kafka", "broker.internal", 9092, "stock-reserved")

_LOOK_UP = Latency(1.8, 8)
_CHANGE = Latency(3.1, 13)
_SEND = Latency(1.4, 7)
_PICK_UP = Latency(140, 900)  # consumers poll in small batches


def _work(median_ms: float, p99_ms: float) -> Work:
    return Work(Latency(median_ms, p99_ms))


_place = Operation(
    _order,
    "POST",
    "/orders",
    (
        _work(2.2, 11),
        Answer(0.02, 422),
        Task("price basket", (_work(3.5, 14),)),
        Query(_orders_db, "INSERT", "orders", _CHANGE, failure=0.0006),
        Query(_orders_db, "INSERT", "order_lines", _CHANGE, failure=0.0004),
        Publish(_order_placed, _SEND),
        _work(0.8, 4),
    ),
)
_show = Operation(
    _order,
    "GET",
    "/orders/{id}",
    (_work(1.2, 6), Query(_orders_db, "SELECT", "orders", _LOOK_UP, failure=0.0004), Answer(0.03, 404), _work(1.5, 7)),
)
_stock = Operation(
    _inventory,
    "GET",
    "/stock",
    (_work(0.9, 4), Query(_stock_db, "SELECT", "stock_items", _LOOK_UP, failure=0.0004), _work(1.1, 5)),
)
_count = Job(
    _inventory,
    "count stock",
    (_work(20, 60), Query(_stock_db, "SELECT", "stock_items", Latency(60, 190)), _work(35, 90)),
)

HEALTHY = System(
    name="healthy",
    title="Orders and inventory with their own data and a queue between them, deployed apart; nothing to warn about",
    readme=README,
    services=(_order, _inventory),
    entries=(
        Entry(_place, share=30),
        Entry(_show, share=35),
        Entry(_stock, share=35),
        Entry(_count, nightly_hour=3.0),
    ),
    consumers=(
        Consumer(
            _inventory,
            _order_placed,
            "inventory-reservations",
            _PICK_UP,
            (
                _work(1.6, 8),
                Query(_stock_db, "SELECT", "stock_items", _LOOK_UP),
                Query(_stock_db, "INSERT", "reservations", _CHANGE, failure=0.0005),
                Sometimes(0.2, (Query(_stock_db, "UPDATE", "stock_items", _CHANGE),)),
                Publish(_stock_reserved, _SEND),
            ),
            own_trace=True,
        ),
        Consumer(
            _order,
            _stock_reserved,
            "order-confirmations",
            _PICK_UP,
            (_work(1.1, 5), Query(_orders_db, "UPDATE", "orders", _CHANGE, failure=0.0005)),
            own_trace=True,
        ),
    ),
    habits=(ReleaseHabit(("order",), per_week=2.2), ReleaseHabit(("inventory",), per_week=1.6)),
    network=Latency(0.35, 1.6),
    planted={"tail": None, "codeploying_groups": [], "distributed_monolith": False},
)
