"""Span names without ids: ``GET /users/8231`` becomes ``GET /users/{id}``.

A span name is meant to be a low-cardinality label, but instrumentations without a router write the path they were
called with. Left alone, every user id becomes an operation of its own. Only names that contain a path are touched:
in ``users-v2`` or ``process order 66`` nothing says that the number is an id rather than part of the name.
"""

import polars as pl

__all__ = ["normalise_names"]

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


def normalise_names(names: pl.Series) -> pl.Series:
    """The names with ids in their paths replaced by ``{id}`` and query strings cut off.

    Pass distinct names: the cost is a few regular expressions for each one given.
    """
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
