"""DuckDB: the only package that knows it. One file holds spans, facts, deployments and findings."""

from tracelith.store.ledger import WaitingWindows
from tracelith.store.store import Store, StoreSize

__all__ = ["Store", "StoreSize", "WaitingWindows"]
