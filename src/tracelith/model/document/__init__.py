"""The analysis document (schema ``tracelith.analysis/1``): the one JSON object behind every face.

``analyze --format json`` prints it, the API serves it, dashboard and report render it. Keys are promises:
within a major version fields are added, never renamed or removed. ``EstimateDocument`` is the JSON form of
tracelith.model.findings.Estimate. Trace ids are 32 hex digits, times ISO 8601 UTC, durations in milliseconds.
Every part that may lack evidence says so itself: ``status`` and ``reason``.

    chatter       chatter: many small calls in one request where one would do
    codeployment  deploying on its own
    coupling      coupling that no call shows, and calls that couple nothing else
    datastores    owning its data: who reads and writes what, in which database, and who waits for whom there
    estimates     the number with its interval that all parts of the document are made of
    failures      failing on its own: how failures travel, what they cost, and what was done to stop them
    judgement     what follows from all parts together: findings and the verdict
    layers        services that only hand requests on, and systems cut by technical layer instead of by capability
    quality       what share of the evidence could be used
    queues        queues: who waits behind them after all, and where they stand still
    requests      requests: how deep and slow entry operations are, who calls whom, where slow ones lose their time
    scaling       scaling on its own: which services ever need another number of instances than their neighbours
    structure     the shape of the system: cycles, hubs, services too small or too large, and too many of them
"""

from typing import Any

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.chatter import ChatterDocument, ChattyEdgeDocument
from tracelith.model.document.codeployment import CodeploymentDocument, PairDocument
from tracelith.model.document.coupling import CoupledPairDocument, CouplingDocument
from tracelith.model.document.datastores import (
    ContentionDocument,
    DataPairDocument,
    DatastoreDocument,
    DatastoresDocument,
    JoinDocument,
    TableDocument,
    TableUseDocument,
)
from tracelith.model.document.estimates import EstimateDocument, StateName, WindowDocument
from tracelith.model.document.failures import (
    AvailabilityDocument,
    BlastRadiusDocument,
    CascadeDocument,
    CascadeEntryDocument,
    CascadeStepDocument,
    EntryRadiusDocument,
    FailurePairDocument,
    FailuresDocument,
    PropagationDocument,
    RetryDocument,
    TimeoutDocument,
)
from tracelith.model.document.judgement import FindingDocument, VerdictDocument
from tracelith.model.document.layers import (
    LayersDocument,
    LayerSplitDocument,
    PassThroughDocument,
    PassThroughOperationDocument,
)
from tracelith.model.document.quality import AbsentServiceDocument, DefectDocument, QualityDocument
from tracelith.model.document.queues import (
    ConsumerDocument,
    ConsumerGroupDocument,
    DestinationDocument,
    QueuesDocument,
    QueueWaitDocument,
    StallDocument,
)
from tracelith.model.document.requests import (
    ChainDocument,
    DepthDocument,
    EdgeDocument,
    EntryOperationDocument,
    TailDocument,
)
from tracelith.model.document.scaling import AxisPairDocument, ScaledServiceDocument, ScalingDocument
from tracelith.model.document.structure import (
    CycleDocument,
    ServiceShapeDocument,
    StructureDocument,
    SystemSizeDocument,
)

__all__ = [
    "SCHEMA",
    "AbsentServiceDocument",
    "AnalysisDocument",
    "AvailabilityDocument",
    "AxisPairDocument",
    "BlastRadiusDocument",
    "CascadeDocument",
    "CascadeEntryDocument",
    "CascadeStepDocument",
    "ChainDocument",
    "ChatterDocument",
    "ChattyEdgeDocument",
    "CodeploymentDocument",
    "ConsumerDocument",
    "ConsumerGroupDocument",
    "ContentionDocument",
    "CoupledPairDocument",
    "CouplingDocument",
    "CycleDocument",
    "DataPairDocument",
    "DatastoreDocument",
    "DatastoresDocument",
    "DefectDocument",
    "DepthDocument",
    "DestinationDocument",
    "EdgeDocument",
    "EntryOperationDocument",
    "EntryRadiusDocument",
    "EstimateDocument",
    "FailurePairDocument",
    "FailuresDocument",
    "FindingDocument",
    "JoinDocument",
    "LayerSplitDocument",
    "LayersDocument",
    "PairDocument",
    "PassThroughDocument",
    "PassThroughOperationDocument",
    "PropagationDocument",
    "QualityDocument",
    "QueueWaitDocument",
    "QueuesDocument",
    "RetryDocument",
    "ScaledServiceDocument",
    "ScalingDocument",
    "ServiceShapeDocument",
    "StallDocument",
    "StateName",
    "StructureDocument",
    "SystemSizeDocument",
    "TableDocument",
    "TableUseDocument",
    "TailDocument",
    "TimeoutDocument",
    "VerdictDocument",
    "WindowDocument",
]

SCHEMA = "tracelith.analysis/1"


class AnalysisDocument(TypedDict):
    """Everything Tracelith concludes about one environment and period."""

    schema: str
    environment: str
    generated_at: str
    window: WindowDocument
    quality: QualityDocument
    entry_operations: list[EntryOperationDocument]
    edges: list[EdgeDocument]
    tail: list[TailDocument]
    codeployment: CodeploymentDocument
    datastores: DatastoresDocument
    failures: FailuresDocument
    queues: QueuesDocument
    layers: LayersDocument
    scaling: ScalingDocument
    chatter: ChatterDocument
    structure: StructureDocument
    coupling: CouplingDocument
    findings: list[FindingDocument]
    groups: list[dict[str, Any]]
    verdict: VerdictDocument
    analyses: list[dict[str, Any]]  # [{name, title, sections, error}]: what each analysis says of itself
