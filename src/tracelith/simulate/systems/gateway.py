"""A gateway that asks many services at once, one hop deep: a hub in every picture, and healthy."""

from tracelith.simulate.flow import Answer, Cached, Call, Consumer, Entry, Operation, Parallel, Query, Step
from tracelith.simulate.incidents import Moments, Outage
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.systems.parts import NETWORK, POLL, change, kafka, look_up, postgresql, send, work
from tracelith.simulate.topology import Database, Service, System
from tracelith.simulate.traffic_shape import Rush

__all__ = ["GATEWAY"]

README = """\
# gateway

A shop behind one door. In every diagram **gateway** is the spider in the web, and that is its job.

It asks for what a page shows from the services that have it, all at once: the product page comes from **catalogue**,
**prices**, **stock**, **reviews**, **offers** and **media**; the home page from **recommendations** and three others;
the basket from **basket**, prices and **shipping**. Each of them answers from its own database and asks nobody else.
There is never more than one hop, and the page takes as long as its slowest part, not as long as all of them together.

Gateway can do without most of them. It waits a few hundred milliseconds; if the reviews do not come, it shows the page
without reviews. That happens: reviews and recommendations are not the most careful of teams, and a request in two
hundred fails with them. One day reviews was gone altogether for forty minutes, and customers bought on without.
Only the product and the basket themselves have to be there.

Ten services, nine databases, and nobody's release is anybody else's business: each team deploys at its own pace, some
daily, some twice a month. There is nothing here to warn about, although everything goes through one place.
`truth.json` says the same in numbers.
"""

_gateway = Service("gateway", "nodejs", 4, "18.3")
_catalogue = Service("catalogue", "java", 3, "6.2")
_prices = Service("prices", "go", 3, "2.15")
_stock = Service("stock", "go", 2, "3.1")
_reviews = Service("reviews", "python", 2, "1.9")
_offers = Service("offers", "nodejs", 2, "5.5")
_media = Service("media", "go", 2, "1.2")
_recommendations = Service("recommendations", "python", 3, "0.31")
_basket = Service("basket", "java", 2, "4.0")
_shipping = Service("shipping", "nodejs", 2, "2.2")

_prices_cache = Database("redis", "prices-cache.internal", 6379, "0")
_basket_changed = kafka("basket-changed")

_GONE = 0.41270  # of the period; in one of twelve weeks, a Sunday afternoon


def _lookup(service: Service, route: str, table: str, *more: Step) -> Operation:
    """What a service answers from its own database."""
    own = postgresql(f"{service.name}-db", f"{service.name}.public")
    return Operation(service, "GET", route, (work(1.1, 5), look_up(own, table), *more, work(0.9, 4)))


def _optional(operation: Operation) -> tuple[Step, ...]:
    """Asked, waited for a moment, and done without if need be."""
    return (Call(operation, timeout_ms=400, tolerated=1.0),)


def _needed(operation: Operation) -> tuple[Step, ...]:
    return (Call(operation, timeout_ms=1_500, attempts=2, backoff_ms=30),)


_product = _lookup(_catalogue, "/products/{id}", "products", Answer(0.02, 404))
_listing = Operation(
    _catalogue,
    "GET",
    "/products",
    (work(1.3, 6), Query(postgresql("catalogue-db", "catalogue.public"), "SELECT", "products", Latency(2.4, 11))),
)
_price = Operation(
    _prices,
    "GET",
    "/prices/{id}",
    (
        work(0.5, 2.5),
        Cached(
            _prices_cache,
            hit=0.85,
            time=Latency(0.4, 2),
            steps=(look_up(postgresql("prices-db", "prices.public"), "prices"),),
        ),
        work(0.7, 3),
    ),
)
_availability = _lookup(_stock, "/stock/{id}", "stock_items")
_opinions = _lookup(_reviews, "/products/{id}/reviews", "reviews", Answer(0.006, 500))
_offer = _lookup(_offers, "/offers", "offers")
_images = _lookup(_media, "/products/{id}/images", "images")
_similar = _lookup(_recommendations, "/recommendations/{id}", "neighbours", work(2.0, 8), Answer(0.004, 500))
_options = _lookup(_shipping, "/shipping-options", "tariffs")
_show_basket = _lookup(_basket, "/baskets/{id}", "baskets")
_change_basket = Operation(
    _basket,
    "PUT",
    "/baskets/{id}",
    (
        work(1.0, 5),
        change(postgresql("basket-db", "basket.public"), "UPDATE", "baskets"),
        send(_basket_changed),
        work(0.5, 2),
    ),
)

_product_page = Operation(
    _gateway,
    "GET",
    "/product/{id}",
    (
        work(0.9, 4),
        Parallel(
            (
                _needed(_product),
                _optional(_price),
                _optional(_availability),
                _optional(_opinions),
                _optional(_offer),
                _optional(_images),
            )
        ),
        work(1.4, 6),
    ),
)
_home = Operation(
    _gateway,
    "GET",
    "/",
    (
        work(0.8, 4),
        Parallel((_optional(_similar), _optional(_offer), _needed(_listing), _optional(_images))),
        work(1.6, 7),
    ),
)
_basket_page = Operation(
    _gateway,
    "GET",
    "/basket",
    (work(0.8, 4), Parallel((_needed(_show_basket), _optional(_price), _optional(_options))), work(1.1, 5)),
)
_fill = Operation(_gateway, "PUT", "/basket", (work(0.8, 4), *_needed(_change_basket), work(0.6, 3)))

GATEWAY = System(
    name="gateway",
    title="A gateway that asks nine services at once, each with its own data and rhythm; nothing to warn about",
    readme=README,
    services=(
        _gateway,
        _catalogue,
        _prices,
        _stock,
        _reviews,
        _offers,
        _media,
        _recommendations,
        _basket,
        _shipping,
    ),
    entries=(
        Entry(_product_page, share=46),
        Entry(_home, share=24),
        Entry(_basket_page, share=18),
        Entry(_fill, share=12),
    ),
    consumers=(
        Consumer(
            _recommendations,
            _basket_changed,
            "recommendations-interests",
            POLL,
            (work(1.0, 5), change(postgresql("recommendations-db", "recommendations.public"), "INSERT", "interests")),
            own_trace=True,
        ),
    ),
    habits=(
        ReleaseHabit(("gateway",), per_week=2.2),
        ReleaseHabit(("catalogue",), per_week=1.4),
        ReleaseHabit(("prices",), per_week=2.6),
        ReleaseHabit(("stock",), per_week=0.9),
        ReleaseHabit(("reviews",), per_week=0.6),
        ReleaseHabit(("offers",), per_week=3.2),
        ReleaseHabit(("media",), per_week=0.5),
        ReleaseHabit(("recommendations",), per_week=1.8),
        ReleaseHabit(("basket",), per_week=1.1),
        ReleaseHabit(("shipping",), per_week=0.7),
    ),
    network=NETWORK,
    incidents=(Outage(("reviews",), Moments(at=(_GONE,)), minutes=40, refused=True),),
    rushes=(Rush(_GONE, minutes=80, share=0.03),),
    planted={"tail": None, "codeploying_groups": [], "distributed_monolith": False},
)
