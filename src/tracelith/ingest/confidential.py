"""Keeps out what attributes must not carry, and do: credentials in connection strings, statements in place of names.

Some libraries give the whole connection string as the address or the name of the database, or the whole statement as
the operation. What is stored is shown on pages and in reports, so only the name within goes on.
"""

import polars as pl

__all__ = ["host_only", "operation_word", "table_name", "without_credentials"]

_JDBC = r"(?i)^jdbc:(?:[a-z0-9+.-]+:)+"
_SCHEME = r"(?i)^[a-z][a-z0-9+.-]*://"
_USER = r"^[^/?#;]*@"
"""To the last at sign before the path: passwords may hold one themselves."""
_JDBC_USER = r"^(?:[^?#;]*@)?(?://)?"
"""Oracle has ``user/password@//host``."""
_PARAMETERS = r"[?#;].*$"
_SECRET = "|".join(  # and whose it is
    (
        "user(?: ?id|name)?",
        "uid",
        "pass(?:word|wd|phrase)?",
        "pwd",
        "secret",
        "token",
        "api[ _-]?key",
        "access[ _-]?key",
    )
)
_ASSIGNED = rf"""(?i)\b(?:{_SECRET})\s*=\s*(?:'[^']*'?|"[^"]*"?|[^;]*;|[^;&,\s]*)[;&,]?\s*"""
"""A value ends at a semicolon if there is one, and else at a space."""
_USER_ALONE = r"^[^/@\s]*:[^/@\s]*@"
"""user:password@host without a scheme; an at sign alone may be part of a name."""

_NAME = r"^[\p{L}\p{N}_.$:/{}-]+(?: [\p{L}\p{N}_.$:/{}-]+){0,3}$"
"""An operation as conventions have it: SELECT, findAndModify, CREATE TABLE, GetItem, EVALSHA."""
_WORD = r"^\s*(\p{L}+)"
_NO_TABLE = r"['=();<>?\n]"
"""In no name of a table, quoted or not, and in every statement with a value."""


def without_credentials(text: pl.Expr) -> pl.Expr:
    """Names as they are; of connection strings what follows the scheme, without user, password and parameters."""
    by_scheme = text.str.replace(_SCHEME, "").str.replace(_USER, "").str.replace(_PARAMETERS, "")
    by_driver = text.str.replace(_JDBC, "").str.replace(_JDBC_USER, "").str.replace(_PARAMETERS, "")
    told = (
        pl.when(text.str.contains(_JDBC))
        .then(by_driver)
        .when(text.str.contains(_SCHEME))
        .then(by_scheme)
        .otherwise(text.str.replace(_USER_ALONE, ""))
    )
    return told.str.replace_all(_ASSIGNED, "").str.strip_chars(" ;,&")


def host_only(address: pl.Expr) -> pl.Expr:
    """Addresses as they are; of connection strings the host with its port."""
    authority = without_credentials(address).str.replace(r"/.*$", "")
    return pl.when(address.str.contains(r"[@=]|//")).then(authority).otherwise(address)


def operation_word(action: pl.Expr) -> pl.Expr:
    """Operations as they are; of a whole statement its first word."""
    word = action.str.extract(_WORD).str.to_uppercase().fill_null("")
    return pl.when((action == "") | action.str.contains(_NAME)).then(action).otherwise(word)


def table_name(name: pl.Expr) -> pl.Expr:
    """Names of tables as they are, empty where a statement or a value stands."""
    return pl.when(name.str.contains(_NO_TABLE)).then(pl.lit("")).otherwise(name)
