"""Damaged requests through both decoders: what the columnar one must make of each, and where it does not.

Where the generated classes read a request, the rows must be theirs. They refuse more than Tracelith does, which does
not look at what it never reads and lets badly encoded text cost one span; there a parser of the same few fields tells
what is left to read.
"""

import random
from typing import Any, NamedTuple

from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanKind, set_span_in_context

from ingest.mutated_requests import damage, has_tags_only_protobuf_minds, tells_a_value_twice
from ingest.otlp_requests import START_NS, make_request, make_span, readable_rows, reference_rows
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.ingest.projection import PROJECTED
from tracelith.model.semantic_conventions import KNOWN_RESOURCE_KEYS, KNOWN_SPAN_KEYS

SOUND = ExportTraceServiceRequest.FromString(make_request(make_span({"http.route": "/neighbour"}, name="neighbour")))
SOUND_BODY = SOUND.SerializeToString()


class Outcome(NamedTuple):
    """Of one run: cases by what became of them, and a line for each that went wrong."""

    cases: dict[str, int]
    problems: list[str]


def check(first_seed: int, cases: int) -> Outcome:
    """Decodes one damaged request per seed, between two sound ones, and compares."""
    counts: dict[str, int] = {}
    problems = []
    originals = real_requests()
    for seed in range(first_seed, first_seed + cases):
        rng = random.Random(seed)
        damaged = damage(rng, rng.choice(originals))
        try:
            kind, problem = compare(damaged)
        except Exception as error:  # whatever it is, it would have ended the committer's thread
            kind, problem = "raised", repr(error)[:300]
        counts[kind] = counts.get(kind, 0) + 1
        if problem:
            problems.append(f"seed {seed}: {problem}; request {damaged[:400].hex()}")
    return Outcome(counts, problems)


def compare(damaged: bytes) -> tuple[str, str]:
    """How the reference read the request, and how the columnar decoder differs from that, empty if not at all."""
    kind, message, misspelt = expectation(damaged)
    decoded = decode_requests([SOUND_BODY, damaged, SOUND_BODY])
    describe(decoded.raw)
    refused = decoded.verdicts[1].error is not None
    if message is None or (kind == "too deep" and refused):
        expected = reference_rows([SOUND, ExportTraceServiceRequest(), SOUND])
        if not refused and has_tags_only_protobuf_minds(damaged, PROJECTED.DESCRIPTOR):
            return "odd tags taken", ""
        if not refused:
            return kind, "taken, though the reference refuses it"
    else:
        expected = reference_rows([SOUND, message, SOUND])
        if refused and "invalid field number 0" in str(decoded.verdicts[1].error):
            return (
                "field 0 in a group refused",
                "",
            )  # there is none; inside of groups it skips, the reference lets it pass
        if refused:
            return kind, f"refused, though the reference takes it: {decoded.verdicts[1].error}"
        accepted, rejected = expected["taken"][1]
        expected["taken"][1] = (accepted, rejected + misspelt)
    raw = decoded.raw
    actual = {
        "spans": raw.spans.rows(),
        "attributes": readable_rows(raw.span_attributes.rows()),
        "resources": readable_rows(raw.resource_attributes.drop_nulls("value").rows()),
        "links": raw.links.rows(),
        "taken": [(verdict.accepted, verdict.rejected) for verdict in decoded.verdicts],
    }
    expected |= {name: readable_rows(expected[name]) for name in ("attributes", "resources")}
    wrong = {name: (expected[name], actual[name]) for name in actual if expected[name] != actual[name]}
    if wrong and wrong.keys() <= {"attributes", "resources"} and tells_a_value_twice(damaged, PROJECTED.DESCRIPTOR):
        return "value told twice", ""
    return kind, str(wrong)[:1500] if wrong else ""


# --- what is expected ----------------------------------------------------------------------------------------------


def expectation(damaged: bytes) -> tuple[str, Any, int]:
    """How a request is to be read, as which message (None: refused), and its spans that only their text costs."""
    try:
        return "taken", _with_first_scalars(ExportTraceServiceRequest.FromString(damaged), damaged), 0
    except DecodeError:
        pass
    try:
        return "taken in part", *_without_misspelt(PROJECTED.FromString(damaged))
    except DecodeError:
        pass
    try:
        return "too deep", *_without_misspelt(_parse_at_any_depth(damaged))
    except DecodeError:
        return "refused", None, 0


def _with_first_scalars(message: Any, damaged: bytes) -> Any:
    """The message with the scalar of a value that also was an array, map or bytes: Tracelith does not see those.

    Of a value that is told twice, protobuf keeps the last; no exporter writes one.
    """
    for pair, seen in zip(_attributes(message), _attributes(PROJECTED.FromString(damaged)), strict=True):
        member = seen.value.WhichOneof("kind")
        if member and pair.value.WhichOneof("value") in {"array_value", "kvlist_value", "bytes_value"}:
            scalar = getattr(seen.value, member)
            setattr(pair.value, member, scalar.decode() if isinstance(scalar, bytes) else scalar)
    return message


def _attributes(message: Any) -> list[Any]:
    """Every attribute of resources and spans, in their order."""
    return [
        pair
        for group in message.resource_spans
        for owner in (group.resource, *(span for scoped in group.scope_spans for span in scoped.spans))
        for pair in owner.attributes
    ]


def _parse_at_any_depth(damaged: bytes) -> Any:
    """Protobuf stops at a depth of 100; groups nobody reads may be skipped below that too, or refused."""
    api_implementation._c_module.SetAllowOversizeProtos(True)
    try:
        return PROJECTED.FromString(damaged)
    finally:
        api_implementation._c_module.SetAllowOversizeProtos(False)


def _without_misspelt(projected: Any) -> tuple[ExportTraceServiceRequest, int]:
    """The request without what is not read and without spans whose text is not UTF-8, and the number of those."""
    misspelt = 0
    projected.DiscardUnknownFields()
    for group in projected.resource_spans:
        resource_is_bad = _keep_known(group.resource.attributes, KNOWN_RESOURCE_KEYS)
        for scoped in group.scope_spans:
            scope_is_bad = not _is_text(scoped.scope.name)
            if scope_is_bad:
                scoped.scope.name = b""
            for at, span in reversed(list(enumerate(scoped.spans))):
                bad = _keep_known(span.attributes, KNOWN_SPAN_KEYS)
                bad |= not (_is_text(span.name) and _is_text(span.trace_state))
                if bad or scope_is_bad or resource_is_bad:
                    del scoped.spans[at]
                    misspelt += 1
    return ExportTraceServiceRequest.FromString(projected.SerializeToString()), misspelt


def _keep_known(attributes: Any, known: frozenset[str]) -> bool:
    """Leaves the attributes that are read, and says whether text was bad among them."""
    bad = False
    for at, one in reversed(list(enumerate(attributes))):
        is_read = one.key.decode(errors="replace") in known
        is_text = _is_text(one.value.string_value)
        bad |= is_read and not is_text
        if not (is_read and is_text):
            del attributes[at]
    return bad


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


# --- what is damaged -----------------------------------------------------------------------------------------------


class _SeededIds(IdGenerator):
    def __init__(self) -> None:
        self._rng = random.Random(1)

    def generate_span_id(self) -> int:
        return self._rng.getrandbits(64)

    def generate_trace_id(self) -> int:
        return self._rng.getrandbits(128)


def real_requests() -> list[bytes]:
    """What the OpenTelemetry SDK sends: one span, a trace of several kinds, and two services with links and events."""
    shop, stock = _recorded("shop"), _recorded("stock")
    nested = encode_spans(shop)
    tree = nested.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="http.request.header.x").value
    tree.kvlist_value.values.add(key="a").value.array_value.values.add().bytes_value = b"\0\1"
    return [one.SerializeToString() for one in (encode_spans(shop[:1]), nested, encode_spans([*shop, *stock]))]


def _recorded(service: str) -> list[Any]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": service, "service.version": "1.4.2", "host.name": "node-3"}),
        id_generator=_SeededIds(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("io.opentelemetry.http", "2.1")
    root = tracer.start_span("GET /cart/{id}", kind=SpanKind.SERVER, start_time=START_NS)
    root.set_attributes({"http.route": "/cart/{id}", "http.response.status_code": 503, "user.tags": ["a", "b"]})
    root.record_exception(TimeoutError("too slow"), timestamp=START_NS + 400)
    inside = set_span_in_context(root)
    links = [Link(root.get_span_context(), {"why": "batch"})]
    query = tracer.start_span("SELECT", inside, SpanKind.CLIENT, start_time=START_NS + 100)
    query.set_attributes({"db.system.name": "postgresql", "db.namespace": "cart", "server.address": "db-1"})
    queue = tracer.start_span("send orders", inside, SpanKind.PRODUCER, links=links, start_time=START_NS + 200)
    queue.set_attributes({"messaging.system": "kafka", "messaging.destination.name": "orders", "error": True, "x": 0.5})
    for span, end in ((queue, 300), (query, 500), (root, 600)):
        span.end(START_NS + end)
    return list(exporter.get_finished_spans())
