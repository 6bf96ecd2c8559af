"""What kinds of datastores, proxies and tables there are, told by their names."""

import re
from typing import Literal

__all__ = [
    "FOLDS_CASE",
    "WITH_SCHEMAS",
    "Purpose",
    "StoreKind",
    "is_local",
    "is_pooler",
    "is_unspecific",
    "purpose_of",
    "store_kind",
]

StoreKind = Literal["database", "cache", "search"]
Purpose = Literal["data", "handover", "bookkeeping"]

CACHES = frozenset((
    "redis", "memcached", "valkey", "hazelcast", "keydb", "dragonfly", "infinispan", "ehcache", "couchbase_cache",
    "geode", "apache.geode", "aws.elasticache", "azure.redis", "caffeine",
))  # fmt: skip
SEARCH_ENGINES = frozenset(["elasticsearch", "opensearch", "solr", "meilisearch", "typesense", "algolia", "vespa"])

WITH_SCHEMAS = frozenset((
    "postgresql", "cockroachdb", "aws.redshift", "microsoft.sql_server", "oracle.db", "ibm.db2", "sap.hana",
    "snowflake", "trino", "other_sql", "teradata", "edb", "yugabytedb", "greenplum", "vertica",
))  # fmt: skip
"""Systems whose tables live in a schema within a database; elsewhere ``a.b`` is table b of database a."""

FOLDS_CASE = WITH_SCHEMAS | frozenset((
    "mysql", "mariadb", "h2database", "derby", "sqlite", "cassandra", "clickhouse", "hsqldb",
))  # fmt: skip
"""Systems in which ``Users`` and ``users`` are the same table, as long as nobody insists on the difference."""

_POOLER = re.compile(
    r"(?i)(^|[^a-z])(pg-?bouncer|pg-?pool(-?ii)?|pgcat|odyssey|proxysql|haproxy|maxscale|rds-?proxy|db-?proxy"
    r"|cloud-?sql-?proxy|sql-?proxy|mongos|twemproxy|envoy)([^a-z]|$)|\.proxy-[a-z0-9]+\."
)
_LOCAL = re.compile(
    r"(?i)^(localhost|localhost\.localdomain|127(\.\d+){3}|\[?::1\]?|0\.0\.0\.0|/.*|host\.docker\.internal)$"
)
_UNSPECIFIC = frozenset((
    "postgres", "mysql", "master", "main", "app", "application", "db", "database", "default", "public", "test", "dev",
    "prod", "production", "data", "defaultdb", "orcl", "xe", "xepdb1", "admin", "local", "service", "api", "core",
    "0",
))  # fmt: skip
"""Names of databases that many services have one of, each its own."""

_HANDOVER = re.compile(r"(?i)(^|[_.])(outbox|inbox|cdc|debezium|event_?publication|message_?relay)([_.]|$)")
_BOOKKEEPING = re.compile(
    r"(?i)^(pg_|information_schema|sys\.|sys$|mysql\.|performance_schema|sqlite_|dual$|v\$|system\.)"
    r"|(^|\.)(flyway_schema_history|schema_version|databasechangelog(lock)?|schema_migrations|alembic_version"
    r"|django_migrations|__efmigrationshistory|__diesel_schema_migrations|knex_migrations(_lock)?|ar_internal_metadata"
    r"|typeorm_metadata|migrations|goose_db_version|atlas_schema_revisions|shedlock|qrtz_\w+|spring_session\w*"
    r"|hibernate_sequences?|pg_\w+)$"
)


def store_kind(system: str) -> StoreKind:
    """Whether a system keeps data, copies for speed, or an index to search."""
    if system in CACHES:
        return "cache"
    return "search" if system in SEARCH_ENGINES else "database"


def is_local(host: str) -> bool:
    """Whether an address only means something on the machine that says it; sockets count."""
    return bool(_LOCAL.match(host))


def is_pooler(host: str) -> bool:
    """Whether an address is that of something in front of databases, by its name."""
    return bool(_POOLER.search(host))


def is_unspecific(namespace: str) -> bool:
    """Whether a namespace has a name (or none) that databases of different services often have."""
    return not namespace or all(part.lower() in _UNSPECIFIC for part in namespace.split("."))


def purpose_of(namespace: str, table: str) -> Purpose:
    """What a table is for, by its name.

    An outbox is there to be read by others, and tables of tools (migrations, locks of schedulers, catalogues) belong
    to nobody: neither is shared data.
    """
    if _BOOKKEEPING.search(table) or _BOOKKEEPING.search(f"{namespace.rpartition('.')[2]}."):
        return "bookkeeping"
    return "handover" if _HANDOVER.search(table) else "data"
