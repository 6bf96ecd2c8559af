"""What instrumentation, samplers and exporters do to the spans of a run, as data; nothing of it by default."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tracelith.model.errors import ConfigurationError

__all__ = ["NO_DEFECTS", "Defects", "HeadSampling", "TailSampling", "check_defects", "describe_defects"]

_SMALLEST_PROBABILITY = 2.0**-56  # one trace id in all


@dataclass(frozen=True, slots=True)
class HeadSampling:
    """Whole traces are kept with this probability, decided from the trace id as consistent samplers do.

    Attributes:
        probability: above 0, at most 1.
        threshold_written: spans carry it as ``ot=th`` in their trace state; otherwise nobody can know.

    A trace that a consumer starts for a message is decided on its own id.
    """

    probability: float
    threshold_written: bool = True


@dataclass(frozen=True, slots=True)
class TailSampling:
    """Whole traces are kept if they failed or took longer than slower_than_ms, the others with base probability.

    As in the Collector, any span with status ERROR makes a trace failed, and its time goes from its first start to its
    last end, deferred work included. Nothing is written into the trace state.
    """

    slower_than_ms: float
    base: float


@dataclass(frozen=True, slots=True)
class Defects:
    """All defects of a run; shares are between 0 and 1.

    Attributes:
        head, tail: sampling; None keeps everything.
        lost_spans: share of spans that never arrive, each on its own. lost_batches: share of exporters' batches,
            what one process or sidecar exports at once. duplicated_batches: share of those that arrive twice.
        skew_ms: standard deviation of the error of a host's clock, constant for each host. Each process has a host
            of its own, which it shares with its sidecar.
        kindless: names of services whose spans have no kind; their sidecars' spans have one.
        sidecars: names of services in front of which a mesh proxy writes a server and a client span of its own.
        silent: names of services that write no spans; their callers, callees and sidecars do. They pass the trace
            context on; what they start by themselves or answer to the outside has none, so their callees begin traces.
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


_LARGEST_SKEW_MS = 86_400_000


def check_defects(defects: Defects, services: Collection[str]) -> None:
    """Nothing, if these defects can happen to a system of these services.

    Raises:
        ConfigurationError: says everything that is wrong.
    """
    if problems := "; ".join(_problems(defects, services)):
        raise ConfigurationError(problems)


def describe_defects(defects: Defects) -> dict[str, Any]:
    """JSON-ready: the defects that there are, by name."""
    none = asdict(NO_DEFECTS)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(defects).items()
        if value != none[name]
    }


def _problems(defects: Defects, services: Collection[str]) -> Iterator[str]:
    if defects.head is not None and not _SMALLEST_PROBABILITY <= defects.head.probability <= 1:
        yield f"the probability of sampling must be above 0 and at most 1, not {defects.head.probability}"
    shares = {
        "base share of tail sampling": 0.0 if defects.tail is None else defects.tail.base,
        "share of lost spans": defects.lost_spans,
        "share of lost batches": defects.lost_batches,
        "share of duplicated batches": defects.duplicated_batches,
    }
    yield from (f"the {what} must be from 0 to 1, not {share}" for what, share in shares.items() if not 0 <= share <= 1)
    if not 0 <= defects.skew_ms <= _LARGEST_SKEW_MS:
        yield f"the clock skew must be from 0 to {_LARGEST_SKEW_MS} ms, a day, not {defects.skew_ms}"
    for what in ("kindless", "sidecars", "silent"):
        unknown = sorted(set(getattr(defects, what)) - set(services))
        if unknown:
            yield f"{what}: there is no service {', '.join(unknown)}; there are {', '.join(sorted(services))}"
