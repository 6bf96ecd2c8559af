"""Runs requests through a system's flows: many requests at a time, one array operation per step.

A flow is a small tree; it is walked once per slice of requests, and each step works on the arrays of all requests that
are still running when it comes. What comes out are blocks of spans of one shape, or an account of where time went.

Modules: world (what all requests share) · spans (what is open, and the blocks) · ledger (where time goes) · walk (the
steps within one service) · calls (requests between services) · messaging (topics, consumers, replies).
"""

from tracelith.simulate.execution.ledger import Ledger, Place
from tracelith.simulate.execution.run import Followed, execute, follow
from tracelith.simulate.execution.spans import SpanBlock
from tracelith.simulate.execution.world import World

__all__ = ["Followed", "Ledger", "Place", "SpanBlock", "World", "execute", "follow"]
