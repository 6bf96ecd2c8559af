"""Which calls go to one and the same place: servers, databases and tables behind the names that spans have for them.

Three levels: server (host:port), namespace (database, and schema where there are any), table. Names of one thing are
brought together where that is sure enough, and the confidence says where it is not. What people declare counts first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from tracelith.analysis.datastores.systems import FOLDS_CASE, WITH_SCHEMAS, is_local, is_pooler, is_unspecific
from tracelith.model.declarations import Declarations

__all__ = ["Confidence", "Place", "Said", "Table", "locate", "tables_of"]

Confidence = Literal["high", "medium", "low"]

DEFAULT_SCHEMAS = frozenset(("public", "dbo"))
"""Where a table is meant that is named without its schema."""

_CLUSTER = re.compile(r"(?i)\.cluster-(?:ro-|custom-)")
_ROLE = re.compile(r"(?i)[-_](?:ro|rw|r|reader|writer|read|write|readonly|replica|replicas|primary|secondary|master"
                   r"|slave|standby|follower|leader)(?:[-_]?\d+)?$")  # fmt: skip
_MEMBER = re.compile(r"^(?P<name>.+)-\d+$")
_PORT = re.compile(r":\d+$")
_IP = re.compile(r"^(\d+\.){3}\d+$|^\[")


@dataclass(frozen=True, slots=True)
class Said:
    """A datastore as the spans of one service name it."""

    service: str
    system: str
    address: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Place:
    """One namespace of one server.

    Attributes:
        database, schema: the namespace's two parts; the schema is empty where there is none, or none is said.
        confidence, remark: how surely all calls that name it go to the same place, and why not.
    """

    system: str
    server: str
    database: str
    schema: str
    confidence: Confidence
    remark: str

    @property
    def namespace(self) -> str:
        """Database and schema as one name."""
        return ".".join(part for part in (self.database, self.schema) if part)


@dataclass(frozen=True, slots=True, order=True)
class Table:
    """One table, whatever it is called by those who use it."""

    system: str
    server: str
    namespace: str
    table: str

    @property
    def name(self) -> str:
        """The table with its namespace."""
        return ".".join(part for part in (self.namespace, self.table) if part)

    @property
    def label(self) -> str:
        """How findings name it."""
        return " ".join(part for part in (self.server or self.system, self.name) if part)


def locate(said: Iterable[Said], declarations: Declarations) -> dict[Said, Place]:
    """The place each name stands for."""
    everything = sorted(set(said), key=lambda one: (one.system, one.address, one.namespace, one.service))
    servers = _Servers.of(everything, declarations)
    places = {one: servers.place(one) for one in everything}
    return _completed(places)


@dataclass(frozen=True, slots=True)
class _Servers:
    """What is known of all servers together.

    Attributes:
        declared: address to the name it is to have. clusters: address to the name of its cluster, where several
            addresses are the readers, writers or members of one.
    """

    declared: Mapping[str, str]
    clusters: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, said: Iterable[Said], declarations: Declarations) -> "_Servers":
        """Declarations are applied to addresses as they came, and so they reach local ones, too."""
        rewrites = [(re.compile(pattern), new) for pattern, new in declarations.datastore_rewrites.items()]
        declared: dict[str, str] = {}
        members: dict[tuple[str, str], set[str]] = defaultdict(set)
        for one in said:
            name = one.address
            for pattern, new in rewrites:
                name = pattern.sub(new, name)
            alias = _alias(name, declarations.datastore_aliases)
            if alias or name != one.address:
                declared[one.address] = alias or name
            elif name and not is_local(_host(name)):
                members[one.system, _cluster(name)].add(name.lower())
        clusters = {
            (system, address): cluster
            for (system, cluster), addresses in members.items()
            for address in addresses
            if len(addresses) > 1
        }
        return cls(declared, clusters)

    def place(self, one: Said) -> Place:
        """Server, database and schema of a name, each looked at for itself."""
        database, schema = _database_and_schema(one.system, one.namespace)
        server, confidence, remark = self._server(one)
        if confidence == "high" and not database:
            confidence, remark = "medium", "no span says which database of the server is meant"
        return Place(one.system, server, database, schema, confidence, remark)

    def _server(self, one: Said) -> tuple[str, Confidence, str]:
        address, host = one.address.lower(), _host(one.address.lower())
        # A database with a name of its own is the same one wherever it is; every service may have a "postgres".
        by_namespace: Confidence = "low" if is_unspecific(one.namespace) else "medium"
        if one.address in self.declared:
            return self.declared[one.address], "high", ""
        if is_local(host):
            told = f"{host} is another machine for everyone who says it; declare an alias if services share it"
            return f"{one.service}@{address}", "low", told
        if (one.system, address) in self.clusters:
            told = "several addresses are taken for readers, writers and members of one cluster, by their names"
            return self.clusters[one.system, address], "medium", told
        if not address:
            found: tuple[Confidence, str] = (by_namespace, "no span says on which server it is")
        elif is_pooler(host):
            found = (by_namespace, "a connection pooler or proxy by its name: behind it may be one server or many")
        elif _IP.match(host):
            found = ("medium", "an IP address: it may change hands, and the server may have other names")
        else:
            found = ("high", "")
        return address, *found


def _alias(address: str, aliases: Mapping[str, str]) -> str:
    names = (address.lower(), _host(address.lower()))
    found = (name for pattern, name in aliases.items() if any(fnmatchcase(one, pattern.lower()) for one in names))
    return next(found, "")


def _host(address: str) -> str:
    return _PORT.sub("", address)


def _cluster(address: str) -> str:
    """The address without what tells readers, writers and members of a cluster apart."""
    host, port = _host(address.lower()), (_PORT.search(address) or [""])[0]
    if _IP.match(host):
        return address.lower()
    host = _CLUSTER.sub(".cluster-", host)
    first, dot, rest = host.partition(".")
    member = _MEMBER.match(first)
    # Members of a replica set have the set's name and a number, and often live below a name of the same beginning.
    if member and rest.partition(".")[0].startswith(member["name"]):
        return f"{rest}{port}"
    return f"{_ROLE.sub('', first)}{dot}{rest}{port}"


def _database_and_schema(system: str, namespace: str) -> tuple[str, str]:
    """``accounts.public`` and ``accounts|public`` are schema public of database accounts."""
    if system in FOLDS_CASE:
        namespace = namespace.lower()
    if "|" in namespace:
        *database, schema = namespace.split("|")
        return ".".join(part for part in database if part), schema
    if system in WITH_SCHEMAS and "." in namespace:
        database_name, _, schema = namespace.rpartition(".")
        return database_name, schema
    return namespace, ""


def _completed(places: dict[Said, Place]) -> dict[Said, Place]:
    """Calls that do not say a server are taken to the only one that has their database, if it has a name of its own."""
    servers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for place in places.values():
        if place.server and place.database and "@" not in place.server:
            servers[place.system, place.database].add(place.server)
    completed = {}
    told = "some spans do not say the server; it is taken to be the only one with a database of that name"
    for one, place in places.items():
        known = servers.get((place.system, place.database), set())
        adopts = not place.server and len(known) == 1 and not is_unspecific(place.database)
        completed[one] = replace(place, server=_only(known), confidence="medium", remark=told) if adopts else place
    return completed


def tables_of(named: Iterable[tuple[Place, str]]) -> dict[tuple[Place, str], Table]:
    """The table that each name means at its place.

    A table named with its schema is in that schema; one without is in its place's schema, else in the default one, or
    in the only one of that database where a table of that name is known.
    """
    pairs = sorted(set(named), key=lambda pair: (pair[0].system, pair[0].server, pair[0].namespace, pair[1]))
    split = {pair: _qualified(*pair) for pair in pairs}
    homes: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    databases: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for (place, _), (database, schema, table) in split.items():
        if schema:
            homes[place.system, place.server, database, table].add(schema)
        if database:
            databases[place.system, place.server, schema, table].add(database)
    found = {}
    for (place, name), (said_database, said_schema, table) in split.items():
        at = (place.system, place.server)
        schema = said_schema or _home(homes.get((*at, said_database, table), set()))
        database = said_database or _only(databases.get((*at, schema, table), set()))
        namespace = ".".join(part for part in (database, schema) if part)
        found[place, name] = Table(*at, namespace, table)
    return found


def _home(schemas: set[str]) -> str:
    usual = sorted(schemas & DEFAULT_SCHEMAS)
    if usual:
        return usual[0]
    return _only(schemas)


def _only(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else ""


def _qualified(place: Place, name: str) -> tuple[str, str, str]:
    """Database, schema and bare name of a table as a statement writes it."""
    cleaned = re.sub(r"[\"'`\[\]]", "", name)
    if place.system in FOLDS_CASE:
        cleaned = cleaned.lower()
    *before, table = [part for part in cleaned.split(".") if part] or [""]
    if place.system not in FOLDS_CASE:  # a dot is part of the name, as MongoDB has it
        return place.database, place.schema, cleaned
    if not before:
        return place.database, place.schema, table
    if place.system not in WITH_SCHEMAS:
        return before[-1], "", table
    return (before[-2] if len(before) > 1 else place.database), before[-1], table
