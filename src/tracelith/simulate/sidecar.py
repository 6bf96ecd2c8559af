"""What the proxy of a service mesh writes beside a service, as Envoy does under Istio with OpenTelemetry tracing.

The proxy's service.name is the workload's name and namespace, "billing.default": not the name the application gives
itself. Its resource names the environment and the pod only because Istio's resource detector is told to. Its spans say
what they are by their instrumentation scope and ``component=proxy``; each request has a SERVER span for the side
towards the caller and a CLIENT span, "router ... egress", for the side towards the application, which is what
``spawn_upstream_span`` turns on and what Envoy advises where applications trace too.
"""

from tracelith.simulate.instrumentation import CLIENT, SERVER, SpanShape

__all__ = ["sidecar_attributes", "sidecar_client", "sidecar_server"]

Attributes = tuple[tuple[str, str | int], ...]

_SCOPE = "envoy"
_VERSION = "1.35.2"
_COPIED = frozenset({"deployment.environment.name", "host.name"})
_GRPC_CODES = {
    "OK": 0,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
"""Envoy writes the numbers of gRPC's codes."""


def sidecar_attributes(process: Attributes) -> Attributes:
    """Resource of the proxy beside a process with these resource attributes."""
    described = dict(process)
    return (
        ("service.name", f"{described['service.name']}.{described.get('service.namespace', 'default')}"),
        ("telemetry.sdk.language", "cpp"),
        ("telemetry.sdk.name", "envoy"),
        ("telemetry.sdk.version", _VERSION),
        *((key, value) for key, value in process if key in _COPIED),
    )


def sidecar_server(behind: SpanShape) -> SpanShape:
    """The proxy's span towards the caller of a request whose application's span is ``behind``."""
    said = dict(behind.attributes)
    address, port = said["server.address"], said["server.port"]
    status, answer = _answer(said)
    attributes: Attributes = (
        ("component", "proxy"),
        ("http.method", said.get("http.request.method", "POST")),
        ("http.url", f"http://{address}:{port}{said.get('url.path', '/' + str(said.get('rpc.method', '')))}"),
        ("upstream_cluster.name", f"inbound|{port}||"),
        *answer,
    )
    name = f"{address}.default.svc.cluster.local:{port}/*"
    return SpanShape(name, SERVER, _SCOPE, attributes, failed=status >= 500, root=behind.root)


def sidecar_client(behind: SpanShape) -> SpanShape:
    """The proxy's span towards the application."""
    said = dict(behind.attributes)
    port = said["server.port"]
    status, answer = _answer(said)
    attributes: Attributes = (
        ("component", "proxy"),
        ("upstream_cluster.name", f"inbound|{port}||"),
        ("peer.address", f"127.0.0.6:{port}"),
        *answer,
    )
    return SpanShape(f"router inbound|{port}|| egress", CLIENT, _SCOPE, attributes, failed=status >= 400)


def _answer(said: dict[str, str | int]) -> tuple[int, Attributes]:
    """HTTP status and what says how the request ended; a failed gRPC call is an HTTP 200 with a status of its own."""
    protocol = (("response_flags", "-"), ("http.protocol", "HTTP/1.1"))
    if "rpc.response.status_code" in said:
        code = _GRPC_CODES[str(said["rpc.response.status_code"])]
        http2 = (("response_flags", "-"), ("http.protocol", "HTTP/2"))
        return 200, (*http2, ("http.status_code", "200"), ("grpc.status_code", str(code)))
    status = int(said["http.response.status_code"])
    return status, (*protocol, ("http.status_code", str(status)))
