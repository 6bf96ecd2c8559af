"""A shop that is healthy at run time and released together every week, by habit alone."""

from tracelith.simulate.flow import Answer, Call, Consumer, Entry, Job, Operation, Query
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import ReleaseHabit, Train
from tracelith.simulate.systems.parts import NETWORK, POLL, change, kafka, look_up, postgresql, send, work
from tracelith.simulate.topology import Service, System

__all__ = ["TRAIN"]

README = """\
# train

Eight services that could all go their own way, and do not.

**catalogue**, **basket**, **orders**, **payments**, **shipping**, **accounts**, **reviews** and **newsletter** each
have one job and a database server of their own. Most requests are answered by the service they reach. Placing an order
asks payments and nobody else; shipping and newsletter hear of it from a topic, a moment later, and while they are away
nobody notices. When one of them fails, its own pages fail and no others.

Yet all eight are released on Wednesday afternoon. There was a time when this was needed: there was one program, one
test environment and one evening when the testers stayed late. The program is gone, the Wednesday has stayed. Nearly
everything that is finished during the week waits for it. Once in a while somebody cannot wait, and deploys a single
service on another day, and nothing bad comes of it.

There is nothing wrong with these services and something wrong with the calendar. `truth.json` says what was planted.
"""

_catalogue = Service("catalogue", "go", 3, "3.8")
_basket = Service("basket", "nodejs", 2, "2.4")
_orders = Service("orders", "java", 3, "6.1")
_payments = Service("payments", "java", 2, "4.7")
_shipping = Service("shipping", "go", 2, "1.12")
_accounts = Service("accounts", "java", 2, "5.0")
_reviews = Service("reviews", "python", 2, "2.9")
_newsletter = Service("newsletter", "python", 1, "1.3")
_everybody = (_catalogue, _basket, _orders, _payments, _shipping, _accounts, _reviews, _newsletter)

_catalogue_db = postgresql("catalogue-db", "catalogue.public")
_basket_db = postgresql("basket-db", "basket.public")
_orders_db = postgresql("orders-db", "orders.public")
_payments_db = postgresql("payments-db", "payments.public")
_shipping_db = postgresql("shipping-db", "shipping.public")
_accounts_db = postgresql("accounts-db", "accounts.public")
_reviews_db = postgresql("reviews-db", "reviews.public")
_newsletter_db = postgresql("newsletter-db", "newsletter.public")
_order_placed = kafka("order-placed")

_product = Operation(
    _catalogue,
    "GET",
    "/products/{id}",
    (work(1.2, 6), look_up(_catalogue_db, "products", "prices"), Answer(0.02, 404), work(2.2, 9)),
)
_search = Operation(
    _catalogue,
    "GET",
    "/search",
    (work(1.5, 7), Query(_catalogue_db, "SELECT", "products", Latency(12, 45)), work(3.0, 12)),
)
_fill = Operation(
    _basket,
    "PUT",
    "/basket",
    (work(1.1, 5), change(_basket_db, "UPDATE", "baskets"), look_up(_basket_db, "baskets"), work(1.0, 5)),
)
_authorise = Operation(
    _payments,
    "POST",
    "/payments",
    (work(1.4, 6), Answer(0.02, 402), work(30, 90), change(_payments_db, "INSERT", "payments"), work(0.6, 3)),
)
_place = Operation(
    _orders,
    "POST",
    "/orders",
    (
        work(2.0, 9),
        Call(_authorise, timeout_ms=2_000),
        change(_orders_db, "INSERT", "orders"),
        send(_order_placed),
        work(0.8, 4),
    ),
)
_order = Operation(
    _orders, "GET", "/orders/{id}", (work(1.1, 5), look_up(_orders_db, "orders"), Answer(0.02, 404), work(1.3, 6))
)
_parcel = Operation(
    _shipping, "GET", "/parcels/{id}", (work(0.9, 4), look_up(_shipping_db, "parcels"), Answer(0.03, 404), work(0.8, 4))
)
_sign_in = Operation(
    _accounts, "POST", "/sign-in", (work(22, 36), look_up(_accounts_db, "accounts"), Answer(0.05, 401), work(0.5, 2))
)
_opinions = Operation(
    _reviews, "GET", "/products/{id}/reviews", (work(1.3, 6), look_up(_reviews_db, "reviews"), work(1.7, 8))
)
_opine = Operation(
    _reviews, "POST", "/products/{id}/reviews", (work(1.6, 7), change(_reviews_db, "INSERT", "reviews"), work(0.6, 3))
)
_mailing = Job(
    _newsletter,
    "send mailing",
    (work(25, 80), Query(_newsletter_db, "SELECT", "subscribers", Latency(70, 200)), work(120, 300)),
)

TRAIN = System(
    name="train",
    title="Eight services with their own data and little to ask of each other, released together every Wednesday",
    readme=README,
    services=_everybody,
    entries=(
        Entry(_product, share=24),
        Entry(_search, share=14),
        Entry(_fill, share=13),
        Entry(_place, share=16),
        Entry(_order, share=10),
        Entry(_parcel, share=6),
        Entry(_sign_in, share=8),
        Entry(_opinions, share=7),
        Entry(_opine, share=2),
        Entry(_mailing, nightly_hour=5.0),
    ),
    consumers=(
        Consumer(
            _shipping,
            _order_placed,
            "shipping-parcels",
            POLL,
            (work(1.4, 6), change(_shipping_db, "INSERT", "parcels")),
            own_trace=True,
        ),
        Consumer(
            _newsletter,
            _order_placed,
            "newsletter-buyers",
            POLL,
            (work(0.7, 3), change(_newsletter_db, "UPDATE", "subscribers")),
            own_trace=True,
        ),
    ),
    habits=tuple(ReleaseHabit((service.name,), per_week=1.2) for service in _everybody),
    trains=(Train(tuple(service.name for service in _everybody), share=0.93, weekday=2, hour=14.0, within_min=25),),
    network=NETWORK,
    planted={
        "tail": {
            "service": "orders",
            "operation": "POST /orders",
            "hop": "payments",
            "kind": "service",
            "cause": "charging a card takes longest, and nobody else waits for it",
        },
        "codeploying_groups": [],
        "distributed_monolith": False,
    },
)
