"""Reads files in tests and shows spans the way a person would name them."""

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tracelith.ingest.readers import ReadBatch, read_file
from tracelith.model.schema import ATTRIBUTE, RAW_LINK, RAW_SPAN, Kind


@dataclass(frozen=True)
class Read:
    """Everything a file held."""

    batches: list[ReadBatch]
    spans: pl.DataFrame  # RAW_SPAN with the service of its resource
    problems: list[str]

    @property
    def kinds(self) -> dict[str, int]:
        return dict(Counter(Kind(kind).name for kind in self.spans["kind"]))

    @property
    def services(self) -> set[str]:
        return set(self.spans["service"].drop_nulls())

    @property
    def orphans(self) -> int:
        """Spans whose parent is not in the file."""
        own = self.spans.select("trace_hi", "trace_lo", parent_id="span_id").unique()
        children = self.spans.filter(pl.col("parent_id") != 0)
        return children.join(own, on=["trace_hi", "trace_lo", "parent_id"], how="anti").height

    @property
    def roots(self) -> int:
        return self.spans.filter(pl.col("parent_id") == 0).height

    @property
    def rejected(self) -> int:
        return sum(rejection.spans for batch in self.batches for rejection in batch.raw.rejections)

    def span(self, **wanted: Any) -> dict[str, Any]:
        """The only span with these values."""
        found = self.spans.filter(*(pl.col(name) == value for name, value in wanted.items()))
        assert found.height == 1, f"{found.height} spans with {wanted}"
        return found.row(0, named=True)

    def attributes(self, name: str) -> dict[str, str]:
        """Attributes of the only span of that name, if the file is one batch."""
        (batch,) = self.batches
        row = batch.raw.spans["name"].to_list().index(name)
        return dict(batch.raw.span_attributes.filter(pl.col("row") == row).select("key", "value").iter_rows())


def read(path: Path) -> Read:
    batches = list(read_file(path))
    frames = [RAW_SPAN.to_frame().with_columns(service=pl.lit(None, dtype=pl.String))]
    for batch in batches:
        check_schema(batch)
        services = batch.raw.resource_attributes.filter(pl.col("key") == "service.name")
        services = services.select(resource_row="row", service="value")
        frames.append(batch.raw.spans.join(services, on="resource_row", how="left", maintain_order="left"))
    return Read(batches, pl.concat(frames), [str(problem) for batch in batches for problem in batch.problems])


def check_schema(batch: ReadBatch) -> None:
    raw = batch.raw
    assert raw.spans.schema == RAW_SPAN
    assert raw.span_attributes.schema == raw.resource_attributes.schema == ATTRIBUTE
    assert raw.links.schema == RAW_LINK
    for frame, limit in ((raw.span_attributes, raw.spans.height), (raw.resource_attributes, raw.resource_count)):
        assert frame.is_empty() or frame["row"].max() < limit
    assert raw.spans.is_empty() or raw.spans["resource_row"].max() < raw.resource_count


def write(path: Path, content: Any) -> Path:
    """Writes bytes, text, or anything else as JSON; packed if the name ends in .gz."""
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def otlp_span(number: int, trace: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": f"span {number}",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000000000001",
        **fields,
    }


def otlp_request(*spans: Any, service: str = "shop") -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}
