"""A broker whose market data needs machines of its own, when the exchanges are open, beside an ordinary back office."""

from tracelith.simulate.flow import Answer, Cached, Call, Consumer, Entry, Job, Operation, Query
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.systems.parts import LOOK_UP, NETWORK, POLL, change, kafka, look_up, postgresql, send, work
from tracelith.simulate.topology import Database, Scaling, Service, System
from tracelith.simulate.traffic_shape import Cycle

__all__ = ["TRADING"]

README = """\
# trading

A broker that split its system where it had a reason to.

While the exchanges are open, prices pour in and everybody looks at them. **ticks** takes them from the exchange,
**quotes** answers what something costs now, **candles** draws the chart. These three grow from two machines each before
breakfast to eight and more in the afternoon, and shrink again in the evening; on a weekend almost nothing happens. They
belong to one team, `market-data`, which knows about garbage collectors and network cards and deploys each of the three
when it is ready. Ticks passes prices on over a topic and waits for nobody.

The rest is an ordinary office. **orders** takes orders and asks **accounts** whether there is money, one hop, with a
timeout. **statements** hears of executed orders from a topic and writes them up; **onboarding** takes new customers in.
These follow the hours of people at desks, run on the same few machines day and night, and belong to the team
`brokerage`.

Every service keeps its own data. Merging the two halves would make the back office pay for the machines of the market
data, or the market data wait for the back office. There is nothing here to warn about.
`truth.json` says the same in numbers.
"""

_MARKET = Cycle(peak_hour=15.5, swing=0.95, weekend=0.03)

_ticks = Service("ticks", "go", 8, "9.2", namespace="market-data", scaling=Scaling(_MARKET, least=2))
_quotes = Service("quotes", "go", 12, "14.0", namespace="market-data", scaling=Scaling(_MARKET, least=2))
_candles = Service("candles", "java", 10, "3.5", namespace="market-data", scaling=Scaling(_MARKET, least=2))
_orders = Service("orders", "java", 3, "7.7", namespace="brokerage")
_accounts = Service("accounts", "java", 2, "5.2", namespace="brokerage")
_statements = Service("statements", "python", 2, "2.6", namespace="brokerage")
_onboarding = Service("onboarding", "nodejs", 2, "4.4", namespace="brokerage")

_quotes_cache = Database("redis", "quotes-cache.internal", 6379, "0")
_quotes_db = postgresql("quotes-db", "quotes.public")
_candles_db = Database("clickhouse", "candles-db.internal", 9000, "candles")
_orders_db = postgresql("orders-db", "orders.public")
_accounts_db = postgresql("accounts-db", "accounts.public")
_statements_db = postgresql("statements-db", "statements.public")
_onboarding_db = postgresql("onboarding-db", "onboarding.public")
_prices, _orders_executed = kafka("prices", partitions=8), kafka("orders-executed")

_AT_ONCE = Latency(4, 25)  # market data consumers poll without pause
_FROM_CACHE = Latency(0.4, 2)

_take_price = Operation(_ticks, "POST", "/prices", (work(0.3, 1.5), send(_prices), work(0.1, 0.5)))
_quote = Operation(
    _quotes,
    "GET",
    "/quotes/{id}",
    (
        work(0.4, 2),
        Cached(_quotes_cache, hit=0.9, time=_FROM_CACHE, steps=(look_up(_quotes_db, "quotes"),)),
        Answer(0.01, 404),
        work(0.3, 1.5),
    ),
)
_chart = Operation(
    _candles,
    "GET",
    "/candles/{id}",
    (work(0.8, 4), Query(_candles_db, "SELECT", "candles", Latency(9, 35)), work(1.6, 7)),
)
_funds = Operation(
    _accounts,
    "POST",
    "/accounts/{id}/reservations",
    (
        work(1.2, 5),
        look_up(_accounts_db, "accounts"),
        Answer(0.02, 409),
        change(_accounts_db, "INSERT", "reservations"),
    ),
)
_place = Operation(
    _orders,
    "POST",
    "/orders",
    (
        work(1.8, 8),
        Call(_funds, timeout_ms=800),
        change(_orders_db, "INSERT", "orders"),
        send(_orders_executed),
        work(0.7, 3),
    ),
)
_order_book = Operation(
    _orders, "GET", "/orders", (work(1.2, 5), look_up(_orders_db, "orders", "instruments"), work(1.4, 6))
)
_balance = Operation(
    _accounts, "GET", "/accounts/{id}", (work(0.9, 4), look_up(_accounts_db, "accounts"), work(0.8, 4))
)
_statement = Operation(
    _statements,
    "GET",
    "/statements/{id}",
    (work(1.5, 7), look_up(_statements_db, "statements"), Answer(0.02, 404), work(4.0, 15)),
)
_close_day = Job(
    _statements,
    "close the day",
    (work(30, 90), Query(_statements_db, "SELECT", "bookings", Latency(90, 260)), work(60, 150)),
)
_apply = Operation(
    _onboarding,
    "POST",
    "/applications",
    (work(2.4, 10), Answer(0.04, 422), change(_onboarding_db, "INSERT", "applications"), work(1.0, 5)),
)

TRADING = System(
    name="trading",
    title="Market data with machines, a team and hours of its own beside a back office; nothing to warn about",
    readme=README,
    services=(_ticks, _quotes, _candles, _orders, _accounts, _statements, _onboarding),
    entries=(
        Entry(_take_price, share=22, cycle=_MARKET),
        Entry(_quote, share=26, cycle=_MARKET),
        Entry(_chart, share=10, cycle=_MARKET),
        Entry(_place, share=16),
        Entry(_order_book, share=8),
        Entry(_balance, share=9),
        Entry(_statement, share=5),
        Entry(_apply, share=4),
        Entry(_close_day, nightly_hour=22.0),
    ),
    consumers=(
        Consumer(
            _quotes,
            _prices,
            "quotes-latest",
            _AT_ONCE,
            (work(0.2, 1), Query(_quotes_cache, "SET", "latest", _FROM_CACHE)),
            own_trace=True,
        ),
        Consumer(
            _candles,
            _prices,
            "candles-minutes",
            _AT_ONCE,
            (work(0.3, 1.5), Query(_candles_db, "INSERT", "candles", LOOK_UP)),
            own_trace=True,
        ),
        Consumer(
            _statements,
            _orders_executed,
            "statements-bookings",
            POLL,
            (work(1.2, 6), change(_statements_db, "INSERT", "bookings")),
            own_trace=True,
        ),
    ),
    habits=(
        ReleaseHabit(("ticks",), per_week=1.2),
        ReleaseHabit(("quotes",), per_week=2.4),
        ReleaseHabit(("candles",), per_week=1.5),
        ReleaseHabit(("orders",), per_week=1.3),
        ReleaseHabit(("accounts",), per_week=0.9),
        ReleaseHabit(("statements",), per_week=0.7),
        ReleaseHabit(("onboarding",), per_week=1.6),
    ),
    network=NETWORK,
    planted={"tail": None, "codeploying_groups": [], "distributed_monolith": False},
)
