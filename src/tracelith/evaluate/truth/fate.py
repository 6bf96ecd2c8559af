"""What becomes of requests while services fail: worked out from the description of a system, without a simulation.

Given who fails and how often, every service fails on its own, as in the simulator. So the fate of a request is made of
the fates of its steps. Timeouts, locks and messages that nobody waits for are left out: they change when, not whether.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.flow import (
    Answer,
    Cached,
    Call,
    Consumer,
    Job,
    Operation,
    Parallel,
    Publish,
    Query,
    Repeat,
    Sometimes,
    Step,
    Task,
)
from tracelith.simulate.topology import System

__all__ = ["EdgeFate", "EntryFate", "entry_fates"]

Shares = NDArray[np.float64]

_CLEAN, _STAINED, _ENDED, _ENDED_STAINED, _FAILED = range(5)
"""A request goes on; goes on although something below it failed; was ended with 4xx; likewise; failed with 5xx."""
_UNHARMED = np.array([1.0, 0.0, 0.0, 0.0, 0.0])


@dataclass(slots=True)
class EdgeFate:
    """Calls of one service's operations to another, per request of the entry.

    Attributes:
        calls, failures: logical ones. passed_on: failures that fail the caller. anyway: failures of which the caller
            would have failed all the same, for another reason. again: further attempts. attempts: of a call, at most.
    """

    calls: float = 0.0
    failures: float = 0.0
    passed_on: float = 0.0
    anyway: float = 0.0
    again: float = 0.0
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class EntryFate:
    """What becomes of the requests of an entry.

    Attributes:
        failed: share answered with 5xx. stained: share answered well although something below failed.
        edges: by names of caller and callee.
    """

    failed: float
    stained: float
    edges: Mapping[tuple[str, str], EdgeFate]


def entry_fates(system: System, failing: Mapping[str, float]) -> list[EntryFate]:
    """One per entry of the system.

    Args:
        failing: share of their requests that services fail; others fail only where a step says so.
    """
    found = []
    for entry in system.entries:
        walk = _Walk(system, failing, defaultdict(EdgeFate))
        end = walk.serve(entry.operation, 1.0)
        found.append(EntryFate(float(end[_FAILED]), float(end[_STAINED] + end[_ENDED_STAINED]), dict(walk.edges)))
    return found


@dataclass(frozen=True, slots=True)
class _Made:
    """Calls that an operation makes at one place.

    Attributes:
        times: how many. failed: share of them, after the last attempt. again: further attempts of each.
    """

    step: Call
    times: float
    failed: float
    again: float


@dataclass(slots=True)
class _Frame:
    """An operation while it is walked."""

    made: list[_Made] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Walk:
    system: System
    failing: Mapping[str, float]
    edges: defaultdict[tuple[str, str], EdgeFate]

    def serve(self, taken_in: Operation | Job | Consumer, times: float) -> Shares:
        """What becomes of the requests that reach it, so many per request of the entry."""
        broken, frame = self.failing.get(taken_in.service.name, 0.0), _Frame()
        accepted = times * (1 - broken)
        end = self.walk(taken_in.steps, frame, accepted)
        if isinstance(taken_in, Operation):
            self._note(taken_in.service.name, frame.made, accepted, float(end[_FAILED]))
        end = end * (1 - broken)
        end[_FAILED] += broken
        return end

    def walk(self, steps: Sequence[Step], frame: _Frame, times: float) -> Shares:
        """One step after another."""
        state = _UNHARMED
        for step in steps:
            alive = float(state[_CLEAN] + state[_STAINED])
            if alive > 0:
                state = _then(state, self._take(step, frame, times * alive))
        return state

    def _take(self, step: Step, frame: _Frame, times: float) -> Shares:
        end = _UNHARMED
        match step:
            case Answer():
                end = _mixed(step.probability, _ended(step.status))
            case Query():
                end = _mixed(step.failure, _ended(500))
            case Sometimes(probability=share) | Cached(hit=share):
                share = 1 - share if isinstance(step, Cached) else share
                end = _mixed(share, self.walk(step.steps, frame, times * share))
            case Task():
                end = self.walk(step.steps, frame, times)
            case Repeat():
                end = self._repeated(step, frame, times)
            case Parallel():
                end = _at_once([self.walk(branch, frame, times) for branch in step.branches])
            case Call():
                end = self._called(step, frame, times)
            case Publish() if step.awaits_reply:
                asked = [one for one in self.system.consumers if one.topic == step.topic]
                answers = [_answered_over_a_queue(self.serve(one, times)) for one in asked]
                end = _at_once(answers)
            case _:
                pass
        return end

    def _repeated(self, step: Repeat, frame: _Frame, times: float) -> Shares:
        once = self.walk(step.steps, frame, times * (step.least + step.most) / 2)
        ends = [reduce(_then, [once] * rounds, _UNHARMED) for rounds in range(step.least, step.most + 1)]
        return np.asarray(np.mean(ends, axis=0))

    def _called(self, step: Call, frame: _Frame, times: float) -> Shares:
        alone = self.failing.get(step.operation.service.name, 0.0)
        tries = sum(alone**attempt for attempt in range(step.attempts))  # others' failures are retried too: not counted
        answer = self.serve(step.operation, times * tries)
        once = float(answer[_FAILED])
        failed, again = once**step.attempts, sum(once**attempt for attempt in range(1, step.attempts))
        frame.made.append(_Made(step, times, failed, again))
        went, stained, ended, ended_stained = (float(share) for share in answer[:_FAILED])
        stained, ended_stained = stained + again * (went + stained), ended_stained + again * (ended + ended_stained)
        forgiven = step.tolerated
        return np.array(
            [
                went + forgiven * ended,
                stained + forgiven * (ended_stained + failed),
                ended * (1 - forgiven),
                ended_stained * (1 - forgiven),
                failed * (1 - forgiven),
            ]
        )

    def _note(self, caller: str, made: Sequence[_Made], accepted: float, failed: float) -> None:
        """Adds an operation's calls to the edges; failed: share of its requests, for whatever reason."""
        for one in made:
            edge = self.edges[caller, one.step.operation.service.name]
            failures = one.times * one.failed
            passed_on = failures * (1 - one.step.tolerated)
            blamed = passed_on / accepted if accepted else 0.0
            otherwise = max(0.0, 1 - (1 - failed) / (1 - blamed)) if blamed < 1 else 0.0
            edge.calls += one.times
            edge.failures += failures
            edge.passed_on += passed_on
            edge.anyway += failures * otherwise
            edge.again += one.times * one.again
            edge.attempts = max(edge.attempts, one.step.attempts)


def _ended(status: int) -> Shares:
    end: Shares = np.eye(5)[_FAILED if status >= 500 else _ENDED if status >= 400 else _CLEAN]
    return end


def _mixed(share: float, end: Shares) -> Shares:
    """The end for a share of the requests; nothing happens to the others."""
    return np.asarray(_UNHARMED * (1 - share) + end * share)


def _then(state: Shares, after: Shares) -> Shares:
    """What has become of requests after one more step."""
    clean, stained = float(state[_CLEAN]), float(state[_STAINED])
    moved = np.array(
        [
            clean * after[_CLEAN],
            clean * after[_STAINED] + stained * (after[_CLEAN] + after[_STAINED]),
            clean * after[_ENDED],
            clean * after[_ENDED_STAINED] + stained * (after[_ENDED] + after[_ENDED_STAINED]),
            (clean + stained) * after[_FAILED],
        ]
    )
    kept = state.copy()
    kept[[_CLEAN, _STAINED]] = 0.0
    return np.asarray(kept + moved)


def _at_once(ends: Sequence[Shares]) -> Shares:
    """What becomes of requests that wait for all of these."""
    if not ends:
        return _UNHARMED
    together = np.prod(np.array(ends), axis=0, initial=1.0)
    every = np.array(ends)
    clean = float(together[_CLEAN])
    going = float(np.prod(every[:, _CLEAN] + every[:, _STAINED]))
    unstained = float(np.prod(every[:, _CLEAN] + every[:, _ENDED]))
    failed = 1 - float(np.prod(1 - every[:, _FAILED]))
    ended = 1 - failed - going
    return np.array([clean, going - clean, unstained - clean, ended - (unstained - clean), failed])


def _answered_over_a_queue(end: Shares) -> Shares:
    """Whoever asks over a queue fails if the answer is anything but good."""
    failed = float(end[_ENDED] + end[_ENDED_STAINED] + end[_FAILED])
    return np.array([float(end[_CLEAN]), float(end[_STAINED]), 0.0, 0.0, failed])
