"""Traces as arrays: parent index, calls, depth and critical path, without a Python loop over spans."""
