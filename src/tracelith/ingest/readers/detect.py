"""Which format a file or a JSON text is, told from its content and never from its name."""

from enum import StrEnum

import msgspec

__all__ = ["EXPECTED", "JsonFormat", "Unrecognised", "describe_text", "is_binary", "recognise"]


class JsonFormat(StrEnum):
    """What one JSON text is."""

    OTLP = "OTLP JSON"
    RESOURCE_SPANS = "OTLP JSON without its envelope"
    TEMPO = "Tempo JSON"
    JAEGER = "Jaeger JSON"
    ZIPKIN = "Zipkin JSON"
    LIST = "a list whose elements tell their format one by one"
    NOTHING = "JSON without traces"


EXPECTED = (
    "expected OTLP (JSON, JSON lines or protobuf), a trace from Tempo's API, Jaeger JSON or Zipkin JSON, "
    "each optionally compressed with gzip"
)

# The first row whose keys are all present decides, so rows with more keys come first.
_BY_KEYS: tuple[tuple[frozenset[str], JsonFormat], ...] = (
    (frozenset({"resourceSpans"}), JsonFormat.OTLP),
    (frozenset({"scopeSpans"}), JsonFormat.RESOURCE_SPANS),
    (frozenset({"instrumentationLibrarySpans"}), JsonFormat.RESOURCE_SPANS),
    (frozenset({"batches"}), JsonFormat.TEMPO),
    (frozenset({"trace"}), JsonFormat.TEMPO),
    (frozenset({"result"}), JsonFormat.TEMPO),  # Jaeger's api_v3 wraps the same messages like that
    (frozenset({"data"}), JsonFormat.JAEGER),
    (frozenset({"spans", "traceID"}), JsonFormat.JAEGER),
    (frozenset({"spans", "processes"}), JsonFormat.JAEGER),
    (frozenset({"spanID", "traceID"}), JsonFormat.JAEGER),
    (frozenset({"id", "traceId"}), JsonFormat.ZIPKIN),
)

_NOT_TRACES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"resourceMetrics"}), "looks like OTLP metrics; only traces can be analysed"),
    (frozenset({"resourceLogs"}), "looks like OTLP logs; only traces can be analysed"),
    (
        frozenset({"traces"}),
        "looks like the answer of a trace search, which lists matches without parents, names and kinds; "
        "fetch the whole traces, for Tempo from /api/traces/{traceID}",
    ),
    (
        frozenset({"traceId", "spanId"}),
        "looks like a single OTLP span without its resource, so its service is unknown; "
        "export whole requests with a resourceSpans key",
    ),
)

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT_CONTROLS = frozenset(b"\t\n\r\x0c")


class Unrecognised(Exception):
    """A text that is none of the formats; the message says what it looks like instead."""


def is_binary(head: bytes) -> bool:
    """Whether a file with this beginning cannot be JSON, which never holds raw control characters."""
    return any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head[:4096])


def describe_text(head: bytes) -> str:
    """What a file that is text but holds no JSON in its beginning looks like; empty if JSON may be there."""
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if any(line.lstrip()[:1] in (b"{", b"[") for line in lines):
        return ""
    columns = {column.strip(b' "\r').lower() for column in lines[0].split(b",")}
    if {b"service", b"timestamp"} <= columns:
        return "looks like a table of deployments; import it with: tracelith deployments import FILE"
    return "text that is neither JSON nor JSON lines"


def recognise(body: bytes | msgspec.Raw) -> JsonFormat:
    """The format of one JSON text.

    Raises:
        Unrecognised: it is not JSON, or JSON that no reader understands.
    """
    try:
        if _first_character(body) == b"[":
            return _recognise_list(_ELEMENTS.decode(body))
        return _recognise_keys(frozenset(_OBJECT.decode(body)))
    except msgspec.ValidationError as error:
        raise Unrecognised("a JSON value that is neither an object nor a list") from error
    except RecursionError as error:
        raise Unrecognised("JSON nested too deeply to be a trace") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unrecognised(f"not valid JSON ({error})") from error


def _first_character(body: bytes | msgspec.Raw) -> bytes:
    return bytes(memoryview(body)[:64]).lstrip()[:1]


def _recognise_keys(keys: frozenset[str]) -> JsonFormat:
    for required, json_format in _BY_KEYS:
        if required <= keys:
            return json_format
    for required, explanation in _NOT_TRACES:
        if required <= keys:
            raise Unrecognised(explanation)
    if not keys:
        return JsonFormat.NOTHING
    raise Unrecognised(f"a JSON object without the keys of any known format ({len(keys)} others)")


def _recognise_list(elements: list[msgspec.Raw]) -> JsonFormat:
    """Zipkin writes lists of spans and lists of such lists; for the rest every element stands for itself."""
    for element in elements:
        nested = _ELEMENTS.decode(element) if _first_character(element) == b"[" else [element]
        for candidate in nested:
            keys = frozenset(_OBJECT.decode(candidate)) if _first_character(candidate) == b"{" else frozenset[str]()
            if keys:
                is_zipkin = next((found for required, found in _BY_KEYS if required <= keys), None) is JsonFormat.ZIPKIN
                return JsonFormat.ZIPKIN if is_zipkin else JsonFormat.LIST
    return JsonFormat.NOTHING if all(_first_character(element) == b"[" for element in elements) else JsonFormat.LIST
