"""Damaged OTLP/JSON: what protobuf's own JSON mapping reads of it, Tracelith reads alike, and nothing breaks it.

The mapping refuses more, for it knows fields nobody reads here. So spans it cannot read are taken out, and of what is
left the rows must be the same. Ids are the exception OTLP makes, for they are hexadecimal; and numbers in text are no
numbers here when they begin with a zero or hold a space, as numbers without quotes cannot. True is a number only to
Python.
"""

import base64
import copy
import json
import random
import re
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.damage_check import Outcome, real_requests
from ingest.otlp_requests import make_request, make_span, readable_rows, reference_rows
from tracelith.ingest.describe import describe
from tracelith.ingest.otlp_json import decode_json_requests

Document = dict[str, Any]

ID_KEYS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
SCALARS = ("stringValue", "boolValue", "intValue", "doubleValue")
READ = (*ID_KEYS, "traceState", "flags", "name", "kind", "startTimeUnixNano", "endTimeUnixNano")
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**32, 2**63, 2**64, 10**30, 1.5, 5.0, -0.0, 1e300),
    *(
        "",
        "x",
        "5",
        "-3",
        "1.5",
        "true",
        "NaN",
        "Infinity",
        "-Infinity",
        "ä\ud83d\ude00",
        "SPAN_KIND_SERVER",
        "0" * 16,
        "0" * 32,
        "a" * 32,
    ),
    *("W47/95gDgQPSabYzgT/GDA==", [], {}, [[]], [None], {"stringValue": "x"}, {"intValue": "7"}, {"values": []}),
)


class _NotRead(Exception):
    """The mapping, or OTLP's exception from it, does not read this."""


def check_json(first_seed: int, cases: int) -> Outcome:
    """Decodes one damaged request per seed, between two sound ones, and compares."""
    counts: dict[str, int] = {}
    problems = []
    originals = [as_document(ExportTraceServiceRequest.FromString(one)) for one in real_requests()]
    for seed in range(first_seed, first_seed + cases):
        rng = random.Random(seed)
        body = damage_document(rng, rng.choice(originals))
        try:
            kind, problem = compare_json(body)
        except Exception as error:  # whatever it is, it would have cost the request and a page of log
            kind, problem = "raised", repr(error)[:300]
        counts[kind] = counts.get(kind, 0) + 1
        if problem:
            problems.append(f"seed {seed}: {problem}; request {body[:1500]!r}")
    return Outcome(counts, problems)


def as_document(request: ExportTraceServiceRequest) -> Document:
    """The request in OTLP/JSON."""
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    for group in document["resourceSpans"]:
        for span in (span for scoped in group["scopeSpans"] for span in scoped["spans"]):
            for owner in (span, *span.get("links", ())):
                for key in ID_KEYS & owner.keys():
                    owner[key] = base64.b64decode(owner[key]).hex()
    return document


SOUND = json.dumps(as_document(ExportTraceServiceRequest.FromString(make_request(make_span())))).encode()


def compare_json(body: bytes) -> tuple[str, str]:
    """How the mapping read the request, and how Tracelith differs from that, empty if not at all."""
    before, verdict, after = _taken([SOUND, body, SOUND])
    if (before, after) != ((1, 0), (1, 0)):
        return "neighbours", "its neighbours were not taken"
    try:
        document = json.loads(body)
        total = sum(map(len, _span_lists(document)))
    except (ValueError, _NotRead):
        return "broken", ""  # the mapping refuses all of it; Tracelith may make something of what is left
    if verdict is not None and sum(verdict) != total:
        return "counted", f"{verdict} of {total} spans"
    for spans in _span_lists(document):
        spans[:] = [span for span in spans if _span(span) is not None]
    try:
        message = json_format.ParseDict(_mapped(document), ExportTraceServiceRequest())
    except (json_format.ParseError, _NotRead):
        return "refused", ""
    left = sum(map(len, _span_lists(document)))
    kind = "taken" if left == total else "taken in part"
    actual = _rows([SOUND, json.dumps(document).encode()])
    expected = reference_rows([ExportTraceServiceRequest.FromString(make_request(make_span())), message])
    expected |= {name: readable_rows(expected[name]) for name in ("attributes", "resources")}
    wrong = {name: (expected[name], actual[name]) for name in actual if expected[name] != actual[name]}
    return kind, str(wrong)[:1500] if wrong else ""


def _taken(bodies: list[bytes]) -> list[tuple[int, int] | None]:
    """Accepted and rejected spans of each request; None: it was refused."""
    decoded = decode_json_requests(bodies)
    describe(decoded.raw)
    return [None if one.error else (one.accepted, one.rejected) for one in decoded.verdicts]


def _rows(bodies: list[bytes]) -> dict[str, Any]:
    raw = decode_json_requests(bodies).raw
    return {
        "spans": raw.spans.rows(),
        "attributes": readable_rows(raw.span_attributes.rows()),
        "resources": readable_rows(raw.resource_attributes.rows()),
        "links": raw.links.rows(),
    }


# --- what the mapping reads ----------------------------------------------------------------------------------------


def _list(owner: Any, key: str) -> list[Any]:
    if not isinstance(owner, dict):
        raise _NotRead
    found = owner.get(key)
    if not isinstance(found, list | None):
        raise _NotRead
    return found or []


def _span_lists(document: Any) -> list[list[Any]]:
    return [
        _list(scoped, "spans")
        for group in _list(document, "resourceSpans")
        for key in ("scopeSpans", "instrumentationLibrarySpans")
        for scoped in _list(group, key)
    ]


def _mapped(document: Any) -> Document:
    """What is read of a document, as the mapping wants it."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(_object(group.get("resource")))},
                "scopeSpans": [
                    {
                        "scope": {"name": _object(scoped.get("scope")).get("name")},
                        "spans": [_read(span) for span in _list(scoped, "spans")],
                    }
                    for scoped in _list(group, "scopeSpans")
                ],
            }
            for group in _list(document, "resourceSpans")
        ]
    }


def _span(span: Any) -> Span | None:
    try:
        return json_format.ParseDict(_read(span), Span())
    except (json_format.ParseError, _NotRead):
        return None


def _read(span: Any) -> Document:
    if not isinstance(span, dict):
        raise _NotRead
    kept = {key: span[key] for key in READ if key in span} | {"attributes": _attributes(span)}
    kept["status"] = {"code": _object(span.get("status")).get("code")}
    kept["links"] = [
        {key: _base64(_object(link).get(key), width) for key, width in (("traceId", 16), ("spanId", 8))}
        for link in _list(span, "links")
        if link is not None or _raise()
    ]
    _numbers(span.get("flags"), span.get("startTimeUnixNano"), span.get("endTimeUnixNano"))
    for number in (span.get("kind"), kept["status"]["code"]):
        if number is not None and not (type(number) is int and -(2**31) <= number < 2**31):
            raise _NotRead  # names, which OTLP does not allow, and what is no number of an enum
    return kept | {key: _base64(span[key], width) for key, width in ID_KEYS.items() if key in span}


def _numbers(*values: Any) -> None:
    """Raises unless all of them are numbers, or text that looks like one, or nothing."""
    if any(
        isinstance(value, bool) or (isinstance(value, str) and re.match(r"-?0[0-9]|.*\s", value)) for value in values
    ):
        raise _NotRead


def _raise() -> bool:
    raise _NotRead


def _object(value: Any) -> Document:
    if not isinstance(value, dict | None):
        raise _NotRead
    return value or {}


def _base64(value: Any, width: int) -> str | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str) or len(value) != 2 * width or set(value) - set("0123456789abcdefABCDEF"):
        raise _NotRead
    return base64.b64encode(bytes.fromhex(value)).decode()


def _attributes(owner: Document) -> list[Any]:
    pairs = []
    for pair in _list(owner, "attributes"):
        if not isinstance(pair, dict):
            raise _NotRead
        value = _object(pair.get("value"))
        scalars = {key: value[key] for key in SCALARS if value.get(key) is not None}
        if len(scalars) > 1 or (scalars and value.keys() - set(SCALARS)):
            raise _NotRead  # two values at once
        _numbers(scalars.get("intValue"), scalars.get("doubleValue"))
        pairs.append({"key": pair.get("key"), "value": scalars})
    return pairs


# --- damage --------------------------------------------------------------------------------------------------------


def damage_document(rng: random.Random, original: Document) -> bytes:
    """The document with one to three damages, seldom to its bytes."""
    document = copy.deepcopy(original)
    for _ in range(rng.randrange(1, 4)):
        owner, key = rng.choice(_places(document) or [({"": None}, "")])
        _damage_place(rng, owner, key, document)
    body = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
    if rng.random() < 0.1:
        at, width = rng.randrange(len(body)), rng.randrange(1, 9)
        body = rng.choice((body[:at], body[:at] + body[at + width :], body[:at] + rng.randbytes(width) + body[at:]))
    return body


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every owner and key, or list and index, of a document."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [place for key in keys for place in ((node, key), *_places(node[key]))]


def _damage_place(rng: random.Random, owner: Any, key: Any, document: Document) -> None:
    match rng.randrange(7):
        case 0:
            del owner[key]
        case 1 | 2:
            owner[key] = copy.deepcopy(rng.choice(VALUES))
        case 3:
            owner[key] = rng.choice(([owner[key]], {"later": owner[key]}, str(owner[key])))
        case 4:
            other, name = rng.choice(_places(document) or [(owner, key)])
            owner[key] = copy.deepcopy(other[name])
        case 5 if isinstance(owner, dict):
            owner[rng.choice(("later", key.lower(), "intValue", "links", "status"))] = owner[key]
        case 6 if isinstance(owner[key], str):
            text = owner[key]
            owner[key] = rng.choice((text.upper(), text[:-1], text + " ", text + "0", text[::-1]))
        case _ if isinstance(owner, list):
            owner.insert(key, copy.deepcopy(owner[key]))
