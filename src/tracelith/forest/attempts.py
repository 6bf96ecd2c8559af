"""Which calls are attempts of one logical call: those that repeat one that failed."""

from dataclasses import dataclass

import numpy as np

from tracelith.compiled import compiled
from tracelith.forest.arrays import pack_keys
from tracelith.forest.sides import Sides
from tracelith.forest.view import Bool, Int32, Int64, TraceForest, UInt8
from tracelith.model.schema import Outcome

__all__ = ["number_attempts"]


@dataclass(frozen=True, slots=True)
class _Attempts:
    """One entry per call.

    Attributes:
        span: times the attempt: the client, or the server where one client span made several attempts.
        parent: of that span; -1 without one, or where a span link joins the call.
        failed: that span or the server did. server, callee: as of calls.
    """

    span: Int32
    parent: Int32
    failed: Bool
    server: Int32
    callee: Int32


def number_attempts(forest: TraceForest, sides: Sides, callee: Int32) -> tuple[Int32, Bool]:
    """For each call the number of its logical call, and whether it is the last attempt of that (metrics.md §1.2).

    An attempt repeats the call before it under the same parent, to the same callee with the same operation name,
    if that one was over and had failed, or if the attempt itself counts resends.
    """
    attempts = _Attempts(*_attempts(forest.parent, forest.outcome, sides), sides.server, callee)
    order, repeats = _repeats(forest, attempts, _repeatable(forest, attempts))
    first, final = np.ones(callee.size, np.bool_), np.ones(callee.size, np.bool_)
    first[order[1:][repeats]] = False
    final[order[:-1][repeats]] = False
    number = np.cumsum(first, dtype=np.int32) - np.int32(1)
    number[order] = number[order[np.maximum.accumulate(np.where(first[order], np.arange(order.size), 0))]]
    return number, final


@compiled
def _attempts(parent: Int32, outcome: UInt8, sides: Sides) -> tuple[Int32, Int32, Bool]:
    """The columns span, parent and failed of the attempts."""
    calls = sides.client.size
    spans, above, failed = sides.client.copy(), np.empty(calls, np.int32), np.zeros(calls, np.bool_)
    for call in range(calls):
        client, server = sides.client[call], sides.server[call]
        # Calls are sorted by client: attempts of one client span are next to each other.
        several = call > 0 and sides.client[call - 1] == client
        several |= call + 1 < calls and sides.client[call + 1] == client
        if server >= 0 and (several or client < 0 or not sides.paired[call]):
            spans[call] = server
        span = spans[call]
        above[call] = -1 if sides.linked[call] else parent[span]
        failed[call] = outcome[span] == Outcome.FAILED or outcome[span] == Outcome.CANCELLED
        failed[call] |= server >= 0 and outcome[server] == Outcome.FAILED
    return spans, above, failed


def _repeatable(forest: TraceForest, attempts: _Attempts) -> Int64:
    """Calls that share parent and callee with another, if anything under that parent failed or counts resends."""
    tried_again = np.zeros(forest.parent.size + 1, np.bool_)
    tried_again[attempts.parent[attempts.failed]] = True
    tried_again[forest.parent[np.flatnonzero(forest.attempt)]] = True
    tried_again[-1] = False
    rows = np.flatnonzero(tried_again[attempts.parent])
    key, _ = pack_keys(attempts.parent[rows], attempts.callee[rows])
    order = np.argsort(key)
    ordered = key[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(key.size, np.bool_)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    repeatable: Int64 = rows[shared]
    return repeatable


def _repeats(forest: TraceForest, attempts: _Attempts, rows: Int64) -> tuple[Int64, Bool]:
    """These rows with attempts of one call together, first to last, and which of them repeats the one before it."""
    span = attempts.span[rows]
    names = forest.operations["name"].rank("dense").to_numpy()
    start, duration = forest.start_ns[span], forest.duration_ns[span]
    keys = (names[forest.operation[span]], attempts.callee[rows], attempts.parent[rows])
    order = np.lexsort((attempts.server[rows], span, start, *keys))
    before, after = order[:-1], order[1:]
    same = np.ones(before.size, np.bool_)
    for key in keys:
        same &= key[before] == key[after]
    over = start[after] - start[before] >= duration[before]
    again = attempts.failed[rows[before]] | (forest.attempt[span[after]] >= 1)
    return rows[order], same & over & again
