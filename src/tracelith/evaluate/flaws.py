"""What becomes of the spans of a case on their way: the defects of the simulator that its conditions stand for."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tracelith.evaluate.claims import Case
from tracelith.simulate.defects import Defects, HeadSampling, TailSampling
from tracelith.simulate.flow import Job
from tracelith.simulate.topology import System

__all__ = ["FLAWS", "defects_of"]


def _unknown_sampling(_system: System, defects: Defects) -> Defects:
    """One trace in ten is kept, and nobody wrote down that it is one in ten."""
    return replace(defects, head=HeadSampling(0.1, threshold_written=False))


def _tail_sampling(_system: System, defects: Defects) -> Defects:
    """Failed and slow traces are kept, and one in ten of the others."""
    return replace(defects, tail=TailSampling(slower_than_ms=500, base=0.1))


def _sidecars(system: System, defects: Defects) -> Defects:
    """A mesh proxy in front of every service writes spans of its own."""
    return replace(defects, sidecars=tuple(service.name for service in system.services))


def _silent_service(system: System, defects: Defects) -> Defects:
    """One service in the middle of the system writes no spans."""
    entries = {entry.operation.service.name for entry in system.entries if not isinstance(entry.operation, Job)}
    behind = [service.name for service in system.services if service.name not in entries]
    return replace(defects, silent=(behind[len(behind) // 2],)) if behind else defects


def _lost_batches(_system: System, defects: Defects) -> Defects:
    """One batch of an exporter in twenty never arrives."""
    return replace(defects, lost_batches=0.05)


FLAWS: Mapping[str, Callable[[System, Defects], Defects]] = {
    "unknown sampling": _unknown_sampling,
    "tail sampling": _tail_sampling,
    "sidecars": _sidecars,
    "silent service": _silent_service,
    "lost batches": _lost_batches,
}
"""What a system may be observed with that is there or not, by the name that cases use."""


def defects_of(case: Case, system: System) -> Defects:
    """The defects of the case's spans.

    Raises:
        KeyError: no such flaw.
    """
    head = HeadSampling(case.sampling) if case.sampling < 1 else None
    defects = Defects(head=head, lost_spans=case.lost, skew_ms=case.skew_ms)
    return FLAWS[case.flaw](system, defects) if case.flaw else defects
