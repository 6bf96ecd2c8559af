"""Names without ids: ``GET /users/8231`` becomes ``GET /users/{id}``, ``orders_20261116`` becomes ``orders_{id}``.

A span name is meant to be a low-cardinality label, but instrumentations without a router write the path they were
called with. Left alone, every user id becomes an operation of its own. Anything with a digit may be an id where it is
a whole segment of a path. Elsewhere, in ``users-v2`` or ``process order 66``, nothing says that the number is an id
rather than part of the name; there only what no person would choose as a name is replaced: UUIDs, dates, e-mail
addresses, five digits and more, eight hexadecimal digits and more. What slips through is bounded by limits.py.

Addresses keep their numbers, because ``10.0.0.7:5432`` and ``10.0.0.8:5432`` are two databases, and one name for both
would show a sharing that is none; only the random ends of Kubernetes pod names go, as pods of one name are one thing.
"""

from collections.abc import Sequence

import polars as pl

from tracelith.ingest.query_texts import without_values
from tracelith.model.schema import OPERATION_TEXT

__all__ = ["normalise_names", "normalise_operations"]

_SUSPECT = r"^(?:[A-Za-z]+:? ){0,2}(?:[a-z][a-z0-9+.-]*://[^/ ]+)?/.*(?:[0-9@?#]|[A-Fa-f]{16})"
"""At most two words (``GET``, ``HTTP GET:``), at most an origin, then a path with something that an id would have."""

_IDS = "|".join(
    (
        r"[+-]?[0-9]+(?:[.,:_-][0-9]+)*",  # 8231, 2026-11-16, 48.1,11.5
        r"\{?[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\}?",  # UUID
        r"(?:0x)?[0-9A-Fa-f]*[0-9][0-9A-Fa-f]{7,}",  # long hexadecimal with a digit among its first
        r"(?:0x)?[0-9A-Fa-f]{7,}[0-9][0-9A-Fa-f]*",  # ... or among its last
        r"[0-9A-Fa-f]{16,}",
        r"[^/@\s]+(?:@|%40)[^/@\s]+\.[^/@\s]+",  # e-mail address
        r"[^/\s]*[0-9]{5,}[^/\s]*",  # ORD-123456
        r"[0-9A-Za-z_-]*[0-9][0-9A-Za-z_-]{19,}",  # base64url tokens, ULIDs, prefixed ids
        r"[0-9A-Za-z_-]{19,}[0-9][0-9A-Za-z_-]*",
    )
)
_SEGMENT = rf"/(?:{_IDS})((?:[:.][A-Za-z][A-Za-z0-9]*)?)/"
"""One whole segment; a custom verb (``/users/7:activate``) or an extension (``/7.json``) stays."""


_STATEMENT = r"(?i)^\s*(?:select|insert|update|delete|merge|replace|with|call|exec|execute|set)\s.*['\"=(]"
_QUOTED = r"""(?i)((?:=|<|>|,|\(|\blike)\s*)"[^"]*(?:"|$)"""
"""Text in double quotes where a value stands; elsewhere it is the name of a column."""
_UNCLOSED = r"(?s)'.*$"


def normalise_names(names: pl.Series) -> pl.Series:
    """The names with ids in their paths replaced by ``{id}``, query strings cut off, and values of statements gone.

    Pass distinct names: the cost is a few regular expressions for each one given.
    """
    statements = names.str.contains(_STATEMENT)
    if statements.any():  # some libraries name the span by its whole statement: that is data of somebody's
        told = names.filter(statements).str.replace_all(r"\\.", "").str.replace_all(_QUOTED, "$1?")
        told = without_values(told, backslashes=False)
        told = told.str.replace_all("''", "?", literal=True).str.replace(_UNCLOSED, "?")
        names = names.scatter(statements.arg_true(), told)
    suspects = names.str.contains(_SUSPECT)
    if not suspects.any():
        return names
    normalised = (
        names.filter(suspects)
        .str.replace(r"[?#].*$", "")
        # Regular expressions consume the slash that ends a match, so each segment gets two slashes of its own.
        .str.replace_all("/", "//", literal=True)
        .str.replace(r"$", "/")
        .str.replace_all(_SEGMENT, "/{id}$1/")
        .str.replace(r"/$", "")
        .str.replace_all("//", "/", literal=True)
    )
    return names.scatter(suspects.arg_true(), normalised)


_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_HEX = "|".join(  # eight and more with a digit: there is no look-ahead, so each place of the first digit is spelled out
    [*(rf"[A-Fa-f]{{{place}}}[0-9][0-9A-Fa-f]{{{7 - place},}}" for place in range(8)), r"[A-Fa-f]{8,}[0-9][0-9A-Fa-f]*"]
)
_DATE = r"(?:19|20)[0-9]{2}[-_./](?:0[1-9]|1[0-2])(?:[-_./](?:0[1-9]|[12][0-9]|3[01]))?"
_WHOLE = "|".join((_DATE, r"[0-9]{5,}", rf"(?:0x)?(?:{_HEX})", r"[0-9A-Fa-f]{16,}"))
_WHOLE_WORD = rf"(^|[^0-9A-Za-z])(?:{_WHOLE})($|[^0-9A-Za-z])"
_EMAIL = r"[0-9A-Za-z._%+-]+@(?:[0-9A-Za-z-]+\.)+[A-Za-z]{2,}"
_SERVER_NAMED_QUEUE = r"\b(amq\.gen-)[0-9A-Za-z_-]+"
_LONG_WORD = r"[0-9A-Za-z]{16,}"
_RANDOM = r"[0-9][A-Za-z]+[0-9]+[A-Za-z]+[0-9]"
"""In a word of sixteen and more, digits in three places: ULIDs and most keys of 20 characters, and no name that a
person would give; ``convertUtf8ToUtf16`` has two."""

_POD = r"-[bcdfghjklmnpqrstvwxz2456789]{7,10}-[bcdfghjklmnpqrstvwxz2456789]{5}($|[.:])"
"""The alphabet from which Kubernetes draws the ends of pod names; it has no vowels, so that no words come out."""

_WITH_IDS = ("name", "http_route", "peer_namespace", "peer_object", "peer_statement", "consumer_group")


def normalise_operations(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """OPERATION_TEXT rows with what can only be an id replaced in every column that could hold one.

    Pass rows not met before: the cost is a dozen regular expressions for each.
    """
    if not rows:
        return []
    operations = pl.DataFrame(rows, schema=OPERATION_TEXT, orient="row")
    columns = {name: _without_ids(operations[name]) for name in _WITH_IDS}
    address = operations["peer_address"].str.replace(_POD, "-{id}$1")
    return operations.with_columns(peer_address=address, **columns).rows()


def _without_ids(texts: pl.Series) -> pl.Series:
    normal = texts.str.replace_all(_SERVER_NAMED_QUEUE, "$1{id}").str.replace_all(f"{_UUID}|{_EMAIL}", "{id}")
    for _ in range(2):  # words side by side share the sign between them, and a match consumes it
        normal = normal.str.replace_all(_WHOLE_WORD, "$1{id}$2")
    words = normal.str.extract_all(_LONG_WORD).explode(empty_as_null=False).drop_nulls().unique()
    random = words.filter(words.str.contains(_RANDOM)).to_list()
    return normal.str.replace_many(random, ["{id}"] * len(random)) if random else normal
