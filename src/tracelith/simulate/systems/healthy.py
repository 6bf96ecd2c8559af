"""A shop of two services that leave each other alone: own data, a queue between them, deployed at their own times."""

from tracelith.simulate.flow import Answer, Consumer, Entry, Job, Operation, Query, Sometimes, Task
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.systems.parts import NETWORK, POLL, change, kafka, look_up, postgresql, send, work
from tracelith.simulate.topology import Service, System

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

_orders_db = postgresql("order-db", "orders.public")
_stock_db = postgresql("inventory-db", "stock.public")
_order_placed, _stock_reserved = kafka("order-placed"), kafka("stock-reserved")

_place = Operation(
    _order,
    "POST",
    "/orders",
    (
        work(2.2, 11),
        Answer(0.02, 422),
        Task("price basket", (work(3.5, 14),)),
        change(_orders_db, "INSERT", "orders"),
        change(_orders_db, "INSERT", "order_lines"),
        send(_order_placed),
        work(0.8, 4),
    ),
)
_show = Operation(
    _order,
    "GET",
    "/orders/{id}",
    (work(1.2, 6), look_up(_orders_db, "orders"), Answer(0.03, 404), work(1.5, 7)),
)
_stock = Operation(
    _inventory,
    "GET",
    "/stock",
    (work(0.9, 4), look_up(_stock_db, "stock_items"), work(1.1, 5)),
)
_count = Job(
    _inventory,
    "count stock",
    (work(20, 60), Query(_stock_db, "SELECT", "stock_items", Latency(60, 190)), work(35, 90)),
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
            POLL,
            (
                work(1.6, 8),
                look_up(_stock_db, "stock_items"),
                change(_stock_db, "INSERT", "reservations"),
                Sometimes(0.2, (change(_stock_db, "UPDATE", "stock_items"),)),
                send(_stock_reserved),
            ),
            own_trace=True,
        ),
        Consumer(
            _order,
            _stock_reserved,
            "order-confirmations",
            POLL,
            (work(1.1, 5), change(_orders_db, "UPDATE", "orders")),
            own_trace=True,
        ),
    ),
    habits=(ReleaseHabit(("order",), per_week=2.2), ReleaseHabit(("inventory",), per_week=1.6)),
    network=NETWORK,
    planted={"tail": None, "codeploying_groups": [], "distributed_monolith": False},
)
