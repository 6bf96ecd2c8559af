"""How many operations a service may bring: a span name with an id in it must not fill memory and disk.

Operations are meant to be few. A service that puts order numbers into span names would make one for every request, and
each of them would be kept, analysed and listed. Past the limits below its new names are counted together as
``(other)``; every other service keeps its names.
"""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["MAX_NAMES", "MAX_ROWS", "OTHER", "OperationLimits"]

OTHER = "(other)"
MAX_NAMES = 1_000
"""Distinct span names of one service, counted since the process started."""

MAX_ROWS = 5_000
"""Distinct operations of one service; names are few, but each may come with ever new peers, for example pods."""

_PEER_DETAILS = ("peer_address", "peer_namespace", "peer_object", "consumer_group", "scope")


@dataclass(slots=True)
class _Brought:
    names: set[str] = field(default_factory=set)
    rows: int = 0


@dataclass(slots=True)
class OperationLimits:
    """Counts what each service brought. Not thread safe."""

    _brought: dict[str, _Brought] = field(default_factory=dict)

    def admit(self, service: str, operation: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The operation to keep for one that is new, and whether it is another than was brought.

        Args:
            service: who brought it. operation: an OPERATION_TEXT row.
        """
        brought = self._brought.setdefault(service, _Brought())
        kept: dict[str, Any] = {}
        if brought.rows >= MAX_ROWS:
            kept |= dict.fromkeys(_PEER_DETAILS, "")
        if operation["name"] not in brought.names and len(brought.names) >= MAX_NAMES:
            kept |= {"name": OTHER, "http_route": ""}
        if kept:
            return operation | kept, True
        brought.names.add(operation["name"])
        brought.rows += 1
        return operation, False
