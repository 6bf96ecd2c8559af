"""The samples of ``sample_traces/``: which systems, how large, at what time. Run as a module, it writes them again.

python -m tracelith.simulate.samples sample_traces
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from tracelith.simulate.files import write
from tracelith.simulate.simulation import simulate

__all__ = ["SAMPLE_SEED", "SAMPLE_TRACES", "SAMPLE_UNTIL", "SAMPLE_WEEKS", "write_samples"]

SAMPLE_SEED = 1
SAMPLE_WEEKS = 12
SAMPLE_UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
SAMPLE_TRACES: Mapping[str, int] = MappingProxyType(
    {
        "login": 1_150,
        "kafka": 1_250,
        "payment": 1_340,
        "fifty": 720,
        "healthy": 3_000,
        "train": 3_600,
        "trading": 3_000,
        "modular": 2_600,
        "gateway": 1_350,
    }
)
"""Requests per system: each sample stays below a megabyte. All but ``fifty`` have the 600 requests to their main entry
operation from which a 95th percentile can be attributed to hops."""

_SMALLEST = 9  # zlib's level; they are written seldom and cloned often


def write_samples(root: Path) -> None:
    """Writes every sample into a folder of its own below root."""
    for name, traces in SAMPLE_TRACES.items():
        simulation = simulate(name, seed=SAMPLE_SEED, weeks=SAMPLE_WEEKS, traces=traces, until=SAMPLE_UNTIL)
        write(simulation, root / name, level=_SMALLEST)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
