"""Runs requests through a system's flows: many requests at a time, one array operation per step.

A flow is a small tree; it is walked once per slice of requests, and each step works on the arrays of all requests that
are still running when it comes. What comes out are blocks of spans of one shape, or an account of where time went.

run         one slice of requests, from the outside in
world       what all requests of a run share: processes, and when which incident happens
walk        the steps within one service
calls       requests between services: attempts, timeouts, refused connections
messaging   topics, consumer groups, awaited replies
spans       what is open while requests are walked, and the blocks that come out
ledger      where time goes
"""

from tracelith.simulate.execution.ledger import Ledger, Place
from tracelith.simulate.execution.run import Followed, execute, follow
from tracelith.simulate.execution.spans import SpanBlock
from tracelith.simulate.execution.world import World

__all__ = ["Followed", "Ledger", "Place", "SpanBlock", "World", "execute", "follow"]
