"""Declarations from their TOML file: read once for a command, and again after every change for a server."""

import logging
import re
import threading
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from tracelith.model.declarations import Declarations
from tracelith.model.errors import ConfigurationError

__all__ = ["DeclaredIn", "load_declarations"]

log = logging.getLogger(__name__)


def _sound_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return pattern


def _sound_rewrites(rewrites: dict[str, str]) -> dict[str, str]:
    for pattern, replacement in rewrites.items():
        try:
            re.sub(f"(?:{pattern})|", replacement, "")  # matches, so that the replacement is looked at
        except (re.error, IndexError) as error:
            raise ValueError(f"the replacement '{replacement}' of '{pattern}' cannot be used: {error}") from error
    return rewrites


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Pattern = Annotated[Name, AfterValidator(_sound_pattern)]


class _File(BaseModel):
    """What the file may hold; see Declarations for what it means."""

    model_config = ConfigDict(extra="forbid", strict=True)

    datastore_aliases: dict[Name, Name] = {}
    datastore_rewrites: Annotated[dict[Pattern, str], AfterValidator(_sound_rewrites)] = {}
    table_owners: dict[Name, Name] = {}
    service_owners: dict[Name, Name] = {}
    gateways: list[Name] = []


_EXPECTED = {
    "datastore_aliases": 'a table of addresses to names, for example "orders-ro.internal:5432" = "orders"',
    "datastore_rewrites": "a table of regular expressions to replacements, for example '^db-\\d+\\.' = \"db.\"",
    "table_owners": 'a table of tables to services, for example "shop.orders" = "order-service"',
    "service_owners": 'a table of services to teams, for example order-service = "checkout"',
    "gateways": 'a list of services, for example ["api-gateway"]',
}


def load_declarations(file: Path) -> Declarations:
    """The declarations of a file.

    Raises:
        ConfigurationError: all problems at once, each with its key, what was expected and what came.
    """
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the declarations in {file} cannot be read as TOML: {error}") from error
    try:
        read = _File.model_validate(given)
    except ValidationError as error:
        problems = dict.fromkeys(_problem(problem["loc"], problem["msg"]) for problem in error.errors())
        raise ConfigurationError("\n".join([f"the declarations in {file} cannot be used:", *problems])) from error
    return Declarations(
        datastore_aliases=read.datastore_aliases,
        datastore_rewrites=read.datastore_rewrites,
        table_owners=read.table_owners,
        service_owners=read.service_owners,
        gateways=frozenset(read.gateways),
    )


def _problem(place: tuple[int | str, ...], message: str) -> str:
    key, *within = map(str, place)
    if key not in _EXPECTED:
        return f"{key}: no such table; known are {', '.join(_EXPECTED)}"
    where = ".".join([key, *(part for part in within if part != "[key]")])
    return f"{where}: {message.removeprefix('Value error, ')}; expected {_EXPECTED[key]}"


class DeclaredIn:
    """The declarations of a file as it is now; call it for them. Safe to share between threads.

    A change that cannot be used is logged, and the declarations before it hold on.
    """

    def __init__(self, file: Path) -> None:
        """Reads the file.

        Raises:
            ConfigurationError: it cannot be used.
        """
        self._file = file
        self._lock = threading.Lock()
        self._state = self._stamp()
        self._declarations = load_declarations(file)

    def __call__(self) -> Declarations:
        """The declarations."""
        with self._lock:
            state = self._stamp()
            if state != self._state:
                self._state = state
                self._read_again()
            return self._declarations

    def _read_again(self) -> None:
        try:
            self._declarations = load_declarations(self._file)
        except ConfigurationError as error:
            log.error("%s\nthe declarations read before hold on", error)
        else:
            log.info("read the declarations in %s again", self._file)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size
