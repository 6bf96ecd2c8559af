"""Traces as arrays: parent index, calls, depth and critical path, worked out in compiled loops."""

from tracelith.forest.build import build_forest
from tracelith.forest.observe import observe_view
from tracelith.forest.view import Calls, Chains, CriticalPath, ForestView, TraceForest

__all__ = ["Calls", "Chains", "CriticalPath", "ForestView", "TraceForest", "build_forest", "observe_view"]
