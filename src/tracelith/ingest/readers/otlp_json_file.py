"""JSON records of OTLP and of Tempo as RawSpans, many records in one batch."""

from collections.abc import Sequence

import msgspec

from tracelith.ingest.otlp_json import decode_json_requests
from tracelith.ingest.raw_columns import empty_raw_spans
from tracelith.ingest.readers.batch import Decoded, Problem, Record
from tracelith.ingest.readers.detect import Unrecognised
from tracelith.ingest.readers.tempo import otlp_from_tempo

__all__ = ["decode_otlp", "decode_resource_spans", "decode_tempo"]


def decode_otlp(records: Sequence[Record], *, keep_attributes: bool = False) -> Decoded:
    """Spans of ExportTraceServiceRequests or TracesData, one a record."""
    decoded = decode_json_requests([record.body for record in records], keep_attributes=keep_attributes)
    problems = [
        Problem(record.where, str(verdict.error) if verdict.error else verdict.reason)
        for record, verdict in zip(records, decoded.verdicts, strict=True)
        if verdict.error or verdict.rejected
    ]
    return Decoded(decoded.raw, tuple(problems))


def decode_resource_spans(records: Sequence[Record], *, keep_attributes: bool = False) -> Decoded:
    """Spans of ResourceSpans objects that came without the envelope of a request."""
    envelope = b'{"resourceSpans":[', b"]}"
    requests = [Record(record.where, bytes(record.body).join(envelope)) for record in records]
    return decode_otlp(requests, keep_attributes=keep_attributes)


def decode_tempo(records: Sequence[Record], *, keep_attributes: bool = False) -> Decoded:
    """Spans of answers from the APIs of Tempo and Jaeger v3."""
    rewritten: list[Record] = []
    problems: list[Problem] = []
    for record in records:
        try:
            rewritten.append(Record(record.where, otlp_from_tempo(record.body)))
        except Unrecognised as error:
            problems.append(Problem(record.where, str(error)))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            problems.append(Problem(record.where, f"not readable as a trace from Tempo: {error}"))
    decoded = Decoded(empty_raw_spans(), ())
    if rewritten:
        decoded = decode_otlp(rewritten, keep_attributes=keep_attributes)
    return Decoded(decoded.raw, (*problems, *decoded.problems))
