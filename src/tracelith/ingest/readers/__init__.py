"""Readers of trace files: a file goes in, batches of RawSpans come out, whatever its format."""

from tracelith.ingest.readers.batch import ReadBatch
from tracelith.ingest.readers.files import read_file

__all__ = ["ReadBatch", "read_file"]
