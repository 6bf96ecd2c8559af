"""Systems with planted truth, written as ordinary OTLP. Knows nothing of the analyses.

topology, flow, latency     what a system is made of and what its requests do, as data
systems/                    the named systems: one description each
traffic, release_calendar   when requests arrive; when services are released
rollouts, deployment_truth  what becomes of a release, which version runs where; what is true of it
execution, instrumentation  requests to spans, many at a time; what SDKs write about them
recording, delivery         what meshes, samplers, clocks and exporters do to the spans (defects: as data)
encoding, batching          spans to OTLP bytes
simulation, truth, files    one reproducible run; what is true of it; the run as files
"""

from tracelith.simulate.defects import NO_DEFECTS, Defects, HeadSampling, TailSampling
from tracelith.simulate.encoding import JSON, PROTOBUF, Encoding
from tracelith.simulate.files import FileFormat, write
from tracelith.simulate.rollouts import Deployment
from tracelith.simulate.simulation import DEFAULT_TRACES, DEFAULT_WEEKS, SYSTEMS, Batch, Simulation, simulate

__all__ = [
    "DEFAULT_TRACES",
    "DEFAULT_WEEKS",
    "JSON",
    "NO_DEFECTS",
    "PROTOBUF",
    "SYSTEMS",
    "Batch",
    "Defects",
    "Deployment",
    "Encoding",
    "FileFormat",
    "HeadSampling",
    "Simulation",
    "TailSampling",
    "simulate",
    "write",
]
