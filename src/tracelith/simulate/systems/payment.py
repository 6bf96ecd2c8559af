"""A shop split by technical layers, whose checkout waits for an e-mail: when e-mail is down, nobody can buy."""

from tracelith.simulate.flow import Answer, Call, Entry, External, Operation, Query, Step, Task
from tracelith.simulate.incidents import Moments, Outage
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.systems.parts import NETWORK, change, look_up, postgresql, work
from tracelith.simulate.topology import Service, System
from tracelith.simulate.traffic_shape import Rush

__all__ = ["PAYMENT"]

README = """\
# payment

A shop in two parts that were cut in two wrong ways.

The first part was cut by technology. **web** renders nothing any more: it passes every request on to **api**, which
passes it on to **data**, which does the work in its database. Three services for `GET /products/{id}`, and two of them
do not know what a product is. A new field on a page needs all three, so they are deployed together more often than not.

The second part was cut by business, but not apart. `POST /checkout` goes from web to api to **payment**. Payment
charges the card and waits until **inventory** has reserved the goods, which waits until **notification** has noted
that the customer is to be told, which waits until **email** has handed the mail to its provider. Buying takes five
hops, and as long as the mail provider does. None of them has another plan for when the next one fails.

On the best day of the season email crashes. It stays away for six hours. Its callers are
refused the connection at once; notification tries three times, inventory tries notification three times, so every
purchase knocks nine times on a closed door and waits longer and longer in between. Then the purchase fails. For six
hours people look at products and fill their baskets, and nobody can buy anything, because a mail cannot be sent.

The databases are well kept: one server each for data, payment, inventory and notification, and nobody reads what is
another's. Payment, inventory, notification and email are deployed each at its own time.

`truth.json` says what was planted. Nothing in the traces gives it away.
"""

_web = Service("web", "nodejs", 3, "12.4")
_api = Service("api", "java", 3, "8.1")
_data = Service("data", "java", 3, "5.6")
_payment = Service("payment", "java", 2, "3.3")
_inventory = Service("inventory", "go", 2, "1.17")
_notification = Service("notification", "python", 2, "2.2")
_email = Service("email", "python", 2, "1.1")

_shop_db = postgresql("shop-db", "shop.public")
_payment_db = postgresql("payment-db", "payment.public")
_inventory_db = postgresql("inventory-db", "inventory.public")
_notification_db = postgresql("notification-db", "notification.public")

_CRASH = 0.72768  # of the period; in one of twelve weeks, three in the afternoon of a Saturday
_CRASH_HOURS = 6


def _read(table: str, *joins: str) -> Query:
    return look_up(_shop_db, table, *joins)


def _layered(method: str, route: str, *steps: Step) -> Operation:
    """An operation of web that api and data do: each layer passes it on to the next."""
    below = Operation(_data, method, f"/data{route}", (work(1.4, 6), *steps, work(0.6, 3)))
    middle = Operation(_api, method, f"/api{route}", (work(0.25, 1.2), Call(below), work(0.15, 0.8)))
    return Operation(_web, method, route, (work(0.3, 1.5), Call(middle), work(0.2, 1.0)))


_product = _layered("GET", "/products/{id}", _read("products", "prices"), work(3.0, 12), Answer(0.02, 404))
_search = _layered("GET", "/search", Query(_shop_db, "SELECT", "products", Latency(14, 60)), work(4.0, 15))
_basket = _layered("PUT", "/basket", _read("products"), change(_shop_db, "UPDATE", "baskets"), work(2.0, 8))
_order_page = _layered("GET", "/orders/{id}", _read("orders", "order_lines"), work(2.5, 10))

_send_mail = Operation(
    _email,
    "POST",
    "/mails",
    (
        work(0.9, 4),
        Task("render template", (work(4, 14),)),
        External("smtp.mail-provider.example", "POST", "/v3/send", Latency(120, 900)),
        Answer(0.004, 503),
    ),
)
_notify = Operation(
    _notification,
    "POST",
    "/notifications",
    (
        work(0.9, 4),
        change(_notification_db, "INSERT", "notifications"),
        Call(_send_mail, timeout_ms=4_000, attempts=3, backoff_ms=20),
        change(_notification_db, "UPDATE", "notifications"),
    ),
)
_reserve = Operation(
    _inventory,
    "POST",
    "/reservations",
    (
        work(1.1, 5),
        change(_inventory_db, "UPDATE", "stock_items"),
        change(_inventory_db, "INSERT", "reservations"),
        Call(_notify, timeout_ms=15_000, attempts=3, backoff_ms=50),
        work(0.4, 2),
    ),
)
_pay = Operation(
    _payment,
    "POST",
    "/payments",
    (
        work(1.6, 7),
        Answer(0.03, 402),
        Task("charge card", (work(38, 120),)),
        change(_payment_db, "INSERT", "payments"),
        Call(_reserve),
        change(_payment_db, "UPDATE", "payments"),
    ),
)
_read_basket = Operation(_data, "GET", "/data/basket", (work(1.2, 5), _read("baskets", "prices"), work(0.5, 2)))
_store_order = Operation(
    _data,
    "POST",
    "/data/orders",
    (work(1.3, 6), change(_shop_db, "INSERT", "orders"), change(_shop_db, "INSERT", "order_lines"), work(0.5, 2)),
)
_buy = Operation(
    _api,
    "POST",
    "/api/checkout",
    (work(0.6, 3), Call(_read_basket), Call(_pay), Call(_store_order), work(0.4, 2)),
)
_checkout = Operation(_web, "POST", "/checkout", (work(0.3, 1.5), Call(_buy), work(0.2, 1.0)))

PAYMENT = System(
    name="payment",
    title="A shop cut by technical layers; checkout waits for an e-mail, and when e-mail is down nobody can buy",
    readme=README,
    services=(_web, _api, _data, _payment, _inventory, _notification, _email),
    entries=(
        Entry(_checkout, share=46),
        Entry(_product, share=24),
        Entry(_search, share=11),
        Entry(_basket, share=13),
        Entry(_order_page, share=6),
    ),
    consumers=(),
    habits=(
        ReleaseHabit(("web", "api", "data"), per_week=1.6, within_min=40, follows=0.85),
        ReleaseHabit(("web",), per_week=0.4),
        ReleaseHabit(("data",), per_week=0.3),
        ReleaseHabit(("payment",), per_week=0.8),
        ReleaseHabit(("inventory",), per_week=1.2),
        ReleaseHabit(("notification",), per_week=0.7),
        ReleaseHabit(("email",), per_week=0.6),
    ),
    network=NETWORK,
    incidents=(Outage(("email",), Moments(at=(_CRASH,)), minutes=_CRASH_HOURS * 60, refused=True),),
    rushes=(Rush(_CRASH + 0.0015, minutes=_CRASH_HOURS * 60, share=0.04),),
    planted={
        "tail": {
            "service": "web",
            "operation": "POST /checkout",
            "hop": "smtp.mail-provider.example",
            "kind": "external",
            "cause": "everybody waits until the provider has taken the mail",
        },
        "codeploying_groups": [["api", "data", "web"]],
        "layers": ["web", "api", "data"],
        "pass_through": ["api", "web"],
        "distributed_monolith": True,
    },
)
