"""Systems with planted truth, written as ordinary OTLP. Knows nothing of the analyses.

topology, flow, latency        what a system is made of, what its requests do and how long that takes, as data
traffic_shape, releases        when requests come and how services are released, as data
incidents                      what goes wrong at moments of its own: as data, and drawn for a run
systems, random_systems        the named systems, one description each; systems that nobody has seen, drawn from a seed
traffic, release_calendar      when each request arrives; when each service is released
rollouts, deployment_truth     what becomes of a release, which version runs where; what is true of it
execution                      requests to spans, many at a time
accounting                     the same requests to exact books of where their time went
instrumentation, sidecar       what SDKs and the proxies of meshes write about a step
span_table, random_bits        all spans of a slice as columns; random numbers that do not depend on what else is asked
defects, recording, delivery   what happens to spans, as data; at services and meshes; at samplers, clocks and exporters
encoding, byte_columns         spans to OTLP bytes, by template; numbers of fixed width in them
batching                       spans in requests, by time and process
simulation, truth              one reproducible run; what is true of it
files, samples                 a run as files; the runs that are kept in sample_traces/
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
