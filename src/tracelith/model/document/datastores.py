"""Owning its data: who reads and writes what, in which database, and who waits for whom there."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = [
    "ContentionDocument",
    "DataPairDocument",
    "DatastoreDocument",
    "DatastoresDocument",
    "JoinDocument",
    "TableDocument",
    "TableUseDocument",
]


class DatastoreDocument(TypedDict):
    """One namespace (database, schema, keyspace) of one server, as far as the spans tell them apart."""

    system: str  # postgresql, ...
    server: str  # host:port, or the name it was declared to have; empty if no span says
    namespace: str  # empty if no span says
    services: list[str]
    calls: int
    tables: int
    kind: Literal["database", "cache", "search"]
    confidence: Literal["high", "medium", "low"]  # how surely calls with this identity go to one and the same place
    sharing: Literal["none", "server", "namespace", "read", "write"]  # the deepest level at which services meet here
    remark: str  # what lowers the confidence, in a sentence; empty if nothing does


class TableUseDocument(TypedDict):
    """What one service does with a table."""

    service: str
    reads: int
    writes: int
    days: int  # on how many distinct days it was seen
    joined: int  # of the reads, those that join it to other tables
    regular: bool  # a habit; use that was met once or twice accuses nobody


class TableDocument(TypedDict):
    """One table or collection."""

    system: str
    server: str
    namespace: str
    table: str
    owner: str | None  # the service it belongs to, None if nothing tells
    owner_by: Literal["declared", "migrations", "name", "writes", "reads", "unknown"]  # how the owner is known
    purpose: Literal["data", "handover", "bookkeeping"]  # outboxes and tables of tools are no shared data
    confidence: Literal["high", "medium", "low"]  # how surely all users mean the same table
    remark: str  # what lowers the confidence, in a sentence; empty if nothing does
    users: list[TableUseDocument]  # most calls first
    foreign_write_share: EstimateDocument  # writes that are not the owner's, or the main writer's without an owner
    foreign_read_share: EstimateDocument  # the same of reads
    effective_writers: EstimateDocument  # 1 / sum of squared write shares
    level: Literal["own", "read", "written"]  # what others than the owner do regularly: nothing, read, write
    band: Literal["ok", "flag", "strong", "unknown"]  # of the foreign write share
    trace_ids: list[str]  # of foreign uses, if there are any
    status: StateName
    reason: str


class JoinDocument(TypedDict):
    """Tables that one service joins although they belong to different ones."""

    service: str
    system: str
    server: str
    namespace: str
    tables: list[str]  # "namespace.table", in the order of the statement
    owners: list[str | None]  # of the tables, in their order
    calls: int
    trace_ids: list[str]


class ContentionDocument(TypedDict):
    """A stretch of time in which several services waited for one table."""

    system: str
    server: str
    namespace: str
    table: str
    start: str
    end: str
    seconds: float
    services: list[str]
    calls: int  # those that waited
    failures: int  # of them, those that gave up
    usual_ms: float  # of the table's other calls (geometric mean, which is about the median)
    slow_ms: float  # of those calls
    cause: Literal["migration", "deployment", "unknown"]
    cause_service: str | None
    cause_detail: str  # the statement, or the version deployed
    trace_ids: list[str]


class DataPairDocument(TypedDict):
    """Two services that use the same tables."""

    a: str
    b: str
    overlap: EstimateDocument  # weighted Jaccard over tables that at least one of the two writes; 0 none, 1 the same
    tables: list[str]  # shared ones, "namespace.table"
    written: bool  # one of them writes what the other uses


class DatastoresDocument(TypedDict):
    """The part ``datastores``."""

    stores: list[DatastoreDocument]  # most calls first
    tables: list[TableDocument]  # worst sharing first
    joins: list[JoinDocument]  # only across owners
    contentions: list[ContentionDocument]  # longest first
    pairs: list[DataPairDocument]  # largest overlap first
    calls: int
    calls_without_table: int  # nothing said which table
    status: StateName
    reason: str
