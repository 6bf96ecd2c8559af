"""Fifty services on one database server, deployed and down together; eight businesses are hidden in them."""

from collections.abc import Iterator, Mapping
from itertools import count

from tracelith.simulate.flow import Answer, Call, Entry, Operation, Query, Sometimes, Step
from tracelith.simulate.incidents import Moments, Outage
from tracelith.simulate.releases import ReleaseHabit, Train
from tracelith.simulate.systems.parts import NETWORK, change, look_up, postgresql, work
from tracelith.simulate.topology import Database, Service, System
from tracelith.simulate.traffic_shape import Rush

__all__ = ["FIFTY"]

README = """\
# fifty

A company counted its services and was proud that there were fifty. It has eight teams.

Each service has one entity, one table and a schema named after it. All fifty schemas are in one database on one
server, so the borders are a matter of good manners. Within a business nobody is that polite: **sales-order** joins the
lines of **order-line**, **invoice** writes into the table of **ledger**, **warehouse** counts the boxes of
**stock-level** itself. A few reach further: **report** and **campaign** read orders and customers, and **shipment**
sets the status of an order with an UPDATE of its own.

To do anything, a service asks the others of its business, and these ask again: showing an order needs seven services,
at least two hops deep, and now and then one of another business, which asks its own. A change touches most services of
a business, and nobody dares to deploy five without the other forty-five. So there is a day for it. Most deployments
wait for Tuesday afternoon, when all that is ready goes out within an hour. What cannot wait goes out on another day,
the services of that business together.

One day the database server is restarted, and for 25 minutes nothing works anywhere: fifty services, one
outage. It happens once a month or so, shorter.

There are eight businesses in these fifty services: catalogue, pricing, customers, ordering, payments, fulfilment,
marketing and finance. In the end the company merged the fifty into eight by what they are for, and each got a database
of its own. `truth.json` lists the eight. Nothing in the traces gives them away.
"""

_BUSINESSES: Mapping[str, tuple[str, ...]] = {
    "catalogue": ("product", "category", "brand", "image", "attribute", "search-index", "availability"),
    "pricing": ("price", "price-rule", "discount", "tax-rate", "currency"),
    "customers": ("customer", "address", "credential", "consent", "preference", "segment"),
    "ordering": ("sales-order", "order-line", "basket", "basket-line", "checkout-session", "gift-card", "order-status"),
    "payments": ("payment", "card", "refund", "chargeback", "payment-method", "fraud-score"),
    "fulfilment": ("shipment", "warehouse", "stock-level", "parcel", "carrier", "return-label", "pick-list"),
    "marketing": ("campaign", "newsletter", "voucher", "banner", "recommendation", "review"),
    "finance": ("invoice", "ledger", "report", "dunning", "vat-return", "supplier"),
}
"""The services of each business; the first answers its requests and asks the others."""

_ASKED_ABROAD: Mapping[str, str] = {
    "price-rule": "attribute",
    "order-line": "availability",
    "basket": "price",
    "sales-order": "address",
    "fraud-score": "consent",
    "parcel": "order-status",
    "voucher": "discount",
    "recommendation": "segment",
    "report": "payment-method",
}
"""Services that now and then ask one of another business. A business is asked only by those that come after it."""

_FOREIGN: Mapping[str, tuple[tuple[str, str], ...]] = {
    "product": (("SELECT", "category"),),
    "image": (("DELETE", "attribute"),),
    "availability": (("SELECT", "product"),),
    "price": (("SELECT", "currency"),),
    "discount": (("UPDATE", "price-rule"),),
    "customer": (("SELECT", "preference"),),
    "consent": (("INSERT", "preference"),),
    "basket": (("INSERT", "basket-line"),),
    "checkout-session": (("SELECT", "basket-line"), ("UPDATE", "gift-card")),
    "payment": (("SELECT", "card"),),
    "refund": (("UPDATE", "payment"),),
    "warehouse": (("SELECT", "stock-level"),),
    "pick-list": (("UPDATE", "stock-level"),),
    "shipment": (("UPDATE", "order-status"),),
    "campaign": (("SELECT", "customer"),),
    "banner": (("SELECT", "campaign"),),
    "review": (("SELECT", "recommendation"),),
    "invoice": (("INSERT", "ledger"),),
    "dunning": (("SELECT", "invoice"), ("SELECT", "ledger")),
    "report": (("SELECT", "sales-order"), ("SELECT", "customer")),
}
"""What services do to tables that are not theirs."""

_JOINED: Mapping[str, tuple[str, ...]] = {
    "sales-order": ("order-line",),
    "category": ("brand",),
    "payment-method": ("card",),
    "parcel": ("carrier",),
    "newsletter": ("voucher",),
    "vat-return": ("ledger",),
}
"""Tables of others that services join to their own."""

_LANGUAGES = ("java", "java", "python", "nodejs", "go")
_RESTART = 0.58929  # of the period; in one of twelve weeks, noon on a Monday


def _services() -> Iterator[Service]:
    number = count()
    for members in _BUSINESSES.values():
        for name in members:
            nth = next(number)
            yield Service(name, _LANGUAGES[nth % len(_LANGUAGES)], 2, f"{1 + nth % 7}.{nth % 23}")


def _schema(service: str) -> Database:
    return postgresql("company-db", f"company.{_table(service)}")


def _table(service: str) -> str:
    """The one table of a service, in the schema of the same name."""
    return service.replace("-", "_")


def _in_full(service: str) -> str:
    """The table as other schemas have to name it."""
    return f"{_table(service)}.{_table(service)}"


_BY_NAME = {service.name: service for service in _services()}
_OWN_ROWS = {name: look_up(_schema(name), _table(name), *map(_in_full, _JOINED.get(name, ()))) for name in _BY_NAME}


def _foreign(name: str) -> Iterator[Query]:
    for action, owner in _FOREIGN.get(name, ()):
        if action == "SELECT":
            yield look_up(_schema(owner), _table(owner))
        else:
            yield change(_schema(owner), action, _table(owner))


def _operations() -> dict[str, Operation]:
    """The one operation of each service. Within a business, the n-th service asks the 2n+1st and the 2n+2nd."""
    made: dict[str, Operation] = {}
    for members in _BUSINESSES.values():
        for position in reversed(range(len(members))):
            name = members[position]
            below: list[Step] = [Call(made[asked]) for asked in members[2 * position + 1 : 2 * position + 3]]
            if name in _ASKED_ABROAD:
                below.append(Sometimes(0.3, (Call(made[_ASKED_ABROAD[name]]),)))
            steps = (work(0.9, 4), _OWN_ROWS[name], *_foreign(name), *below, work(0.5, 2.5))
            made[name] = Operation(_BY_NAME[name], "GET", f"/{name}/{{id}}", steps)
    return made


_OPERATIONS = _operations()


def _change(business: str) -> Operation:
    """Something new in a business: its first service writes its row and asks two others to go along."""
    first, *others = _BUSINESSES[business]
    rows = change(_schema(first), "INSERT", _table(first))
    asked = (Call(_OPERATIONS[name]) for name in others[:2])
    return Operation(
        _BY_NAME[first], "POST", f"/{first}", (work(1.2, 5), Answer(0.02, 422), rows, *asked, work(0.5, 2))
    )


def _entries() -> Iterator[Entry]:
    shares = {"catalogue": 60, "ordering": 14, "customers": 10, "pricing": 8, "fulfilment": 6, "marketing": 6}
    for business, members in _BUSINESSES.items():
        yield Entry(_OPERATIONS[members[0]], share=shares.get(business, 3))
        yield Entry(_change(business), share=shares.get(business, 3) / 5)


FIFTY = System(
    name="fifty",
    title="Fifty services in one database, deployed and down together; by what they are for, they are eight",
    readme=README,
    services=tuple(_BY_NAME.values()),
    entries=tuple(_entries()),
    consumers=(),
    habits=tuple(ReleaseHabit(members, per_week=1.8, within_min=25, follows=0.9) for members in _BUSINESSES.values()),
    trains=(Train(tuple(_BY_NAME), share=0.7, weekday=1, hour=14.0, within_min=55),),
    network=NETWORK,
    incidents=(
        Outage(tuple(_BY_NAME), Moments(at=(_RESTART,)), minutes=25, share=0.97),
        Outage(tuple(_BY_NAME), Moments(per_week=0.25), minutes=6, share=0.97),
    ),
    rushes=(Rush(_RESTART, minutes=80, share=0.05),),
    table_owners={_table(name): name for name in _BY_NAME},
    planted={
        "capabilities": {business: sorted(members) for business, members in _BUSINESSES.items()},
        "tail": None,
        "codeploying_groups": [sorted(members) for members in _BUSINESSES.values()],
        "distributed_monolith": True,
    },
)
