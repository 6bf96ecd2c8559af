"""What instrumentation, samplers and exporters do to the spans of a run, as data; nothing of it by default."""

from dataclasses import dataclass

__all__ = ["NO_DEFECTS", "Defects", "HeadSampling", "TailSampling"]


@dataclass(frozen=True, slots=True)
class HeadSampling:
    """Whole traces are kept with this probability, decided from the trace id as consistent samplers do.

    Attributes:
        probability: above 0, at most 1.
        threshold_written: spans carry it as ``ot=th`` in their trace state; otherwise nobody can know.
    """

    probability: float
    threshold_written: bool = True


@dataclass(frozen=True, slots=True)
class TailSampling:
    """Whole traces are kept if they failed or took longer than slower_than_ms, the others with base probability."""

    slower_than_ms: float
    base: float


@dataclass(frozen=True, slots=True)
class Defects:
    """All defects of a run; shares are between 0 and 1.

    Attributes:
        head, tail: sampling; None keeps everything.
        lost_spans: share of spans that never arrive, each on its own. lost_batches: share of exporters' batches.
        duplicated_batches: share of exporters' batches that arrive twice.
        skew_ms: standard deviation of the error of a host's clock, constant for each host.
        kindless: names of services whose spans have no kind.
        sidecars: names of services in front of which a mesh proxy writes a server and a client span of its own.
        silent: names of services that write no spans; their callers and callees do.
    """

    head: HeadSampling | None = None
    tail: TailSampling | None = None
    lost_spans: float = 0.0
    lost_batches: float = 0.0
    duplicated_batches: float = 0.0
    skew_ms: float = 0.0
    kindless: tuple[str, ...] = ()
    sidecars: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


NO_DEFECTS = Defects()
