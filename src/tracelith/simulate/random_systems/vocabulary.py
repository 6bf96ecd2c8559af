"""The words of a business: names of services, what is asked of them, their tables and who owns them."""

from collections.abc import Iterator

from tracelith.simulate.random_systems.dice import Dice

__all__ = ["VERBS", "front_names", "plural", "service_names"]

_FRONTS = ("web", "mobile-api", "partner-api", "back-office", "storefront", "kiosk-api", "public-api", "agent-desk")
_NOUNS = (
    "account", "address", "appointment", "auction", "basket", "booking", "campaign", "catalog", "claim", "contract",
    "coupon", "course", "courier", "currency", "customer", "depot", "document", "driver", "exam", "fare", "forecast",
    "gift-card", "invoice", "kitchen", "lease", "ledger", "loyalty", "menu", "meter", "offer", "order", "parcel",
    "payment", "playlist", "policy", "price", "profile", "promotion", "quote", "rating", "recipe", "refund", "rental",
    "return", "review", "roster", "seat", "shelf", "shift", "shipment", "stock", "subscription", "supplier", "tariff",
    "tax", "tenant", "ticket", "timetable", "voucher", "warehouse",
)  # fmt: skip
_ASPECTS = ("archive", "check", "draft", "export", "history", "index", "limit", "plan", "rule", "search")

VERBS = ("quote", "check", "reserve", "confirm", "assign", "estimate", "validate", "resolve", "list", "rank")


def front_names(dice: Dice, count: int) -> list[str]:
    """Names of services that face the outside."""
    names = dice.some(_FRONTS, count)
    return [*names, *(f"region-{number}-api" for number in range(1, count - len(names) + 1))]


def service_names(dice: Dice, count: int) -> list[str]:
    """So many different names: plain nouns first, then parts of what they stand for."""
    names = list(_endless(dice, count))
    return names[:count]


def plural(name: str) -> str:
    """What a table or a resource of these is called."""
    word = name.replace("-", "_")
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def _endless(dice: Dice, count: int) -> Iterator[str]:
    nouns = dice.some(_NOUNS, len(_NOUNS))
    plain = max(min(count * 2 // 3, len(nouns)), 1)
    yield from nouns[:plain]
    parts = [f"{noun}-{aspect}" for noun in nouns for aspect in _ASPECTS]
    yield from dice.some(parts, count)
