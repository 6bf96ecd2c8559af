"""What share of the evidence could be used."""

from typing import Any

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = ["AbsentServiceDocument", "DefectDocument", "QualityDocument"]


class DefectDocument(TypedDict):
    """One reason why spans or traces could not be used, or only in part."""

    name: str  # orphan_spans, duplicate_spans, ...
    title: str  # in plain words
    count: int
    share: float  # of spans, or of traces where the defect is one of traces
    consequence: str  # what it costs the analyses
    remedy: str  # what to do about it


class AbsentServiceDocument(TypedDict):
    """A service that the declarations name and that sent no spans."""

    declared_in: str  # table_owners, service_owners or gateways
    service: str
    similar: str  # the service seen whose name is most like it, empty without one


class QualityDocument(TypedDict):
    """What share of the evidence could be used and why the rest could not."""

    traces: int
    complete_traces: int
    usable_share: EstimateDocument  # complete traces / traces
    spans: int
    services: int
    orphan_spans: int
    duplicate_spans: int
    skewed_spans: int
    clamped_spans: int
    implausible_clock_spans: int
    unpaired_client_spans: int
    cyclic_spans: int
    kindless_spans: int
    multi_root_traces: int
    rootless_traces: int
    folded_service_traces: int
    unknown_sampling_traces: int
    refused_spans: int  # never stored, of any environment
    refusals: list[dict[str, Any]]  # [{reason, spans}], most first
    defects: list[DefectDocument]  # only those with count > 0, most harmful first
    folded: list[dict[str, Any]]  # [{service, texts, spans, share, consequence, remedy}]: too many to be kept apart
    service_list: list[dict[str, Any]]  # [{service, spans, traces, versions, first_seen, last_seen}]
    absent_services: list[AbsentServiceDocument]
    environments: list[str]
    status: StateName
    reason: str
