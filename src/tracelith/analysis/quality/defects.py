"""What each defect of the evidence is called, what it costs the analyses, and what to do about it."""

from dataclasses import dataclass

__all__ = ["DEFECTS", "Defect"]


@dataclass(frozen=True, slots=True)
class Defect:
    """One way in which spans or traces are unusable.

    Attributes:
        name: as in the document. title, consequence, remedy: in plain words.
        of_traces: its share is one of traces, not of spans.
        harm: how much a given share costs, for the order of the list.
    """

    name: str
    title: str
    consequence: str
    remedy: str
    of_traces: bool = False
    harm: float = 1.0

    @classmethod
    def unnamed(cls, name: str) -> "Defect":
        """A defect that the forest counts and nobody has described yet."""
        title = name.replace("_", " ").capitalize()
        return cls(name, title, "Counted while traces were put together.", "Look at the example traces.", harm=0.2)


DEFECTS = (
    Defect(
        "orphan_spans",
        "Spans whose parent never arrived",
        "Their traces fall apart and are left out of depth, critical path and tail.",
        "Let every service export to the same Collector, raise exporter queues that overflow, and let sampling keep or "
        "drop whole traces.",
        harm=5.0,
    ),
    Defect(
        "cyclic_spans",
        "Spans that are their own ancestor",
        "The cycle is cut and its trace left out of depth and critical path.",
        "Some library reuses span ids; update or fix the instrumentation of the service that sends them.",
        harm=5.0,
    ),
    Defect(
        "multi_root_traces",
        "Traces with several roots",
        "There is no single request to measure, so they are left out of depth and tail.",
        "Propagate the trace context through every caller, or start a new trace where a new request begins.",
        of_traces=True,
        harm=3.0,
    ),
    Defect(
        "rootless_traces",
        "Traces without a root",
        "Where the request began is unknown, so they are left out of depth and tail.",
        "Let the first service, gateway or proxy that starts traces export its spans too.",
        of_traces=True,
        harm=3.0,
    ),
    Defect(
        "folded_service_traces",
        "Traces with services beyond the limit",
        "Which services they passed is not known, so they are left out of depth and tail.",
        "Some sender invents service names: give each service a fixed service.name.",
        of_traces=True,
        harm=3.0,
    ),
    Defect(
        "implausible_clock_spans",
        "Spans with a time that cannot be",
        "They stay where their trace puts them; durations next to them may be wrong.",
        "Check the clock of the host that sends them, and the unit in which times are exported.",
    ),
    Defect(
        "clamped_spans",
        "Spans that end before they start",
        "They count with a duration of zero.",
        "A clock was set back while they ran, or start and end come from different clocks.",
        harm=0.5,
    ),
    Defect(
        "kindless_spans",
        "Spans without a kind",
        "Which calls are awaited is guessed from attributes and timing.",
        "Use the OpenTelemetry SDK's instrumentation, or set the span kind when spans are converted.",
    ),
    Defect(
        "unpaired_client_spans",
        "Calls whose other side sent no spans",
        "Whatever lies behind them is unknown: chains may be longer than shown.",
        "Instrument the services called, if they are yours.",
        harm=0.8,
    ),
    Defect(
        "skewed_spans",
        "Spans whose clock disagrees with their caller's",
        "Durations stay right; where the time between two services was spent is less sure.",
        "Synchronise the hosts' clocks (NTP, chrony).",
        harm=0.5,
    ),
    Defect(
        "unknown_sampling_traces",
        "Traces that do not say how they were sampled",
        "They count as they came. If a sampler prefers slow or failed traces, latencies and failures look worse.",
        "Use consistent probability sampling, which writes its threshold into the trace state, or sample nothing.",
        of_traces=True,
        harm=0.01,  # all traces of a system that samples nothing, usually
    ),
    Defect(
        "duplicate_spans",
        "Spans sent more than once",
        "Nothing: one of them is used.",
        "A retrying exporter is normal; many duplicates mean two pipelines deliver the same spans.",
        harm=0.1,
    ),
)
"""Those that the document promises by name; the forest may count more."""
