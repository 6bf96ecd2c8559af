"""Every error Tracelith raises on purpose.

    TracelithError
    ├── InputError            what came in is unusable: a file, a request, a row
    │   ├── UnreadableFile    a file (or one record of it) that no reader understands
    │   └── InvalidRequest    an OTLP request that is not what the specification describes
    ├── ConfigurationError    settings that contradict each other or cannot be parsed
    ├── StoreError            the database file cannot be used
    │   ├── StoreLocked       another process owns it
    │   ├── StoreCorrupt      it exists but is not a sound Tracelith database
    │   ├── StoreFull         there is no space left for it
    │   └── StoreTooNew       a later Tracelith wrote it
    ├── Overloaded            a bounded queue is full; the sender should retry later
    ├── ServerFailed          a server that a benchmark started did not start, or did not end as it should
    └── AnalysisFailed        an analysis failed where nothing can be said without it: an evaluation cannot go on

A message says what was expected, what came, and what to do next. The command line turns
InputError, ConfigurationError and StoreError into exit code 2.
"""

__all__ = [
    "AnalysisFailed",
    "ConfigurationError",
    "InputError",
    "InvalidRequest",
    "Overloaded",
    "ServerFailed",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreTooNew",
    "TracelithError",
    "UnreadableFile",
]


class TracelithError(Exception):
    """The root: catching it catches every error raised on purpose."""


class InputError(TracelithError):
    """What came in is unusable."""


class UnreadableFile(InputError):
    """A file, or one record of it, that no reader understands.

    Attributes:
        source: the file as the user named it.
        record: which record (``line 7``, ``trace 3``), or empty for the whole file.
    """

    def __init__(self, source: str, problem: str, *, record: str = "") -> None:
        where = f"{source}, {record}" if record else source
        super().__init__(f"{where}: {problem}")
        self.source = source
        self.record = record


class InvalidRequest(InputError):
    """An OTLP request that is not what the specification describes; retrying it is pointless."""


class ConfigurationError(TracelithError):
    """Settings that cannot be used; the message lists every problem with its key and its source."""


class StoreError(TracelithError):
    """The database file cannot be used."""


class StoreLocked(StoreError):
    """Another process owns the database file."""


class StoreCorrupt(StoreError):
    """The file exists but is not a sound Tracelith database; it is never overwritten."""


class StoreFull(StoreError):
    """There is no space left on the disk of the file; what was committed is there once the file is opened again."""


class StoreTooNew(StoreError):
    """A later version of Tracelith wrote the file."""


class Overloaded(TracelithError):
    """A bounded queue is full.

    Attributes:
        retry_after_s: when the sender should try again, in seconds.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServerFailed(TracelithError):
    """A server that a benchmark started did not start, or did not end as it should."""


class AnalysisFailed(TracelithError):
    """An analysis failed where nothing can be said without it."""
