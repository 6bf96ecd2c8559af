"""What people say about their system that no trace can: which names mean one database, and who owns what."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Declarations"]


@dataclass(frozen=True, slots=True)
class Declarations:
    """Read from a TOML file; everything is optional, and what is not declared is inferred or unknown.

    Attributes:
        datastore_aliases: address of a server as spans have it (``host`` or ``host:port``, ``*`` for any characters)
            to the one name it is to have: DNS aliases, readers and writers of one cluster, poolers. The first match
            counts.
        datastore_rewrites: regular expression to replacement, applied to ``host:port`` before the aliases; for names
            that change with every pod or region.
        table_owners: ``namespace.table`` or ``table`` to the service that owns it.
        service_owners: service to the team that owns it; without it ``service.namespace`` is the team.
        gateways: services that are meant to hand requests on.
    """

    datastore_aliases: Mapping[str, str] = field(default_factory=dict)
    datastore_rewrites: Mapping[str, str] = field(default_factory=dict)
    table_owners: Mapping[str, str] = field(default_factory=dict)
    service_owners: Mapping[str, str] = field(default_factory=dict)
    gateways: frozenset[str] = frozenset()
