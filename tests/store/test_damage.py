"""Damaged database files and logs: always recognised, never overwritten, and what is said helps.

Damage of headers, tables of contents and the write-ahead log is found when the file is opened. Damage among the data is
found when that is read: to look through everything at every start would take minutes on a large file.
"""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from store.analysing import analyse
from store.rows import COUNTS, T0, batch, dimensions, span, window
from tracelith.model.errors import StoreCorrupt, StoreError, StoreTooNew
from tracelith.store import Store
from tracelith.store.connection import DAMAGED_INSIDE, RESTORE

COMMITS = 6
PER_COMMIT = 20_000
LOGGED = 10
NOBODY = 65_534

LEAVE_A_LOG = f"""
import os, signal, sys
from pathlib import Path
from store.rows import T0, batch, dimensions, span
from tracelith.store import Store
store = Store.open(Path(sys.argv[1]))
store.append([dimensions()])
store.checkpoint()
for number in range({LOGGED}):
    store.append([batch([span(number + 1, one, T0) for one in range(1, 101)])])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of some blocks, all of it analysed."""
    path = tmp_path_factory.mktemp("sound") / "x.duckdb"
    with Store.open(path) as store:
        store.ensure_fact_tables([COUNTS])
        store.append([dimensions()])
        for number in range(COMMITS):
            many = (span(t * 2**40 + t**3, (number * 31 + t) * 7919, window(number) + t) for t in range(PER_COMMIT))
            store.append([batch(many)])
        analyse(store)
    return path.read_bytes()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """File and write-ahead log that a killed process left, with some commits in the log."""
    path = tmp_path_factory.mktemp("killed") / "x.duckdb"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", LEAVE_A_LOG, str(path)], env=environment, check=False, timeout=60)
    return path.read_bytes(), path.with_name("x.duckdb.wal").read_bytes()


def flipped(whole: bytes, at: int) -> bytes:
    return whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]


def everything(store: Store) -> pl.DataFrame:
    return store.read_windows([window(number) for number in range(COMMITS)]).spans.sort(pl.all())


HELP = {"opening": (RESTORE, DAMAGED_INSIDE), "reading": (DAMAGED_INSIDE,), "unused": ("",)}


def reading(path: Path) -> tuple[str, str, pl.DataFrame | None]:
    """When damage was noticed, what was said, and the spans if it was not."""
    try:
        store = Store.open(path)
    except StoreCorrupt as error:
        return "opening", str(error), None
    with store:
        try:
            return "unused", "", everything(store)
        except StoreCorrupt as error:
            return "reading", str(error), None


@contextmanager
def without_rights() -> Iterator[None]:
    """As somebody who owns nothing here, if the tests run as root, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_bit_that_flips_anywhere_is_noticed_before_a_wrong_number_is_read(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "x.duckdb"
    path.write_bytes(sound)
    with Store.open(path) as store:
        right = everything(store)
    noticed = {"opening": 0, "reading": 0, "unused": 0}

    for at in range(0, len(sound), len(sound) // 40):
        damaged = flipped(sound, at)
        path.write_bytes(damaged)
        path.with_name("x.duckdb.wal").unlink(missing_ok=True)
        when, said, read = reading(path)
        noticed[when] += 1
        assert read is None or read.equals(right)
        assert any(advice in said for advice in HELP[when])
        assert when != "opening" or path.read_bytes() == damaged

    assert noticed["opening"] > 0
    assert noticed["reading"] > 0
    assert noticed["unused"] < 15, noticed


def test_a_database_with_a_damaged_block_still_receives(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "x.duckdb"
    for at in range(300_000, len(sound), 100_000):
        path.write_bytes(flipped(sound, at))
        if reading(path)[0] == "reading":
            break
    else:
        pytest.fail("no damage that only reading notices")

    with Store.open(path) as store:
        store.append([batch([span(1, 1, T0 + 10**15)])])
        assert store.checkpoint()
    with Store.open(path) as store:
        assert store.size().spans == COMMITS * PER_COMMIT + 1


@pytest.mark.parametrize("share", [0.0, 0.003, 0.2, 0.51, 0.8, 0.999])
def test_a_log_in_which_a_bit_flipped_is_refused_and_left_as_it_is(
    tmp_path: Path, killed: tuple[bytes, bytes], share: float
) -> None:
    path, log_path = tmp_path / "x.duckdb", tmp_path / "x.duckdb.wal"
    file, log = killed[0], flipped(killed[1], int(len(killed[1]) * share))
    path.write_bytes(file)
    log_path.write_bytes(log)

    with pytest.raises(StoreCorrupt, match=r"x\.duckdb: .*\.wal"):
        Store.open(path)

    assert (path.read_bytes(), log_path.read_bytes()) == (file, log)


def test_damage_that_looks_like_a_log_torn_by_a_kill_gives_the_whole_commits_before(
    tmp_path: Path, killed: tuple[bytes, bytes]
) -> None:
    """An entry that says it is longer than the log: the one damage of a log that nobody can tell from a kill."""
    path = tmp_path / "x.duckdb"
    file, log = killed
    path.write_bytes(file)
    length_at = log.index(b"\xff\xff") + 2
    path.with_name("x.duckdb.wal").write_bytes(flipped(log, length_at + 5))

    with Store.open(path) as store:
        assert store.size().spans % 100 == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99, 1.0])
def test_a_log_that_was_cut_in_a_commit_gives_the_whole_commits_before(
    tmp_path: Path, killed: tuple[bytes, bytes], share: float
) -> None:
    path = tmp_path / "x.duckdb"
    path.write_bytes(killed[0])
    path.with_name("x.duckdb.wal").write_bytes(killed[1][: int(len(killed[1]) * share)])

    with Store.open(path) as store:
        spans = store.size().spans

    assert spans % 100 == 0
    assert spans == LOGGED * 100 if share == 1.0 else spans < LOGGED * 100


def test_the_log_of_another_database_is_refused_and_left_as_it_is(
    tmp_path: Path, sound: bytes, killed: tuple[bytes, bytes]
) -> None:
    path, log_path = tmp_path / "x.duckdb", tmp_path / "x.duckdb.wal"
    path.write_bytes(sound)
    log_path.write_bytes(killed[1])

    with pytest.raises(StoreCorrupt, match="WAL does not match"):
        Store.open(path)

    assert (path.read_bytes(), log_path.read_bytes()) == (sound, killed[1])


def test_a_log_whose_database_is_missing_is_not_thrown_away(tmp_path: Path, killed: tuple[bytes, bytes]) -> None:
    log_path = tmp_path / "x.duckdb.wal"
    log_path.write_bytes(killed[1])

    with pytest.raises(StoreCorrupt, match="missing, but its write-ahead log"):
        Store.open(tmp_path / "x.duckdb")

    assert log_path.read_bytes() == killed[1]
    assert list(tmp_path.iterdir()) == [log_path]


@pytest.mark.parametrize("content", [b"", b"to do: buy milk\n" * 3, b"SQLite format 3\0" + bytes(4096), bytes(20_000)])
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.duckdb"
    path.write_bytes(content)

    with pytest.raises(StoreCorrupt, match=r"other\.duckdb: not a DuckDB database.*move it away"):
        Store.open(path)

    assert path.read_bytes() == content


def test_a_file_of_a_later_duckdb_asks_for_an_upgrade(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "later.duckdb"
    path.write_bytes(of_format(sound, 9_999))

    with pytest.raises(StoreTooNew, match="upgrade Tracelith"):
        Store.open(path)

    assert path.read_bytes() == of_format(sound, 9_999)


def of_format(whole: bytes, version: int) -> bytes:
    """The file, said to be of this storage version, with the checksum of its header put right.

    DuckDB's checksum is the exclusive or of all 8-byte words, each multiplied by a constant.
    """
    header = bytearray(whole[:4096])
    words = (0, 8, 16, 24)
    header[12:20] = struct.pack("<Q", version)
    (checksum,) = struct.unpack_from("<Q", whole)
    for at in words[1:]:
        for block in (whole, header):
            (word,) = struct.unpack_from("<Q", block, at)
            checksum ^= word * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    header[0:8] = struct.pack("<Q", checksum)
    return bytes(header) + whole[4096:]


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Is a directory"):
        Store.open(tmp_path)


@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["unreadable", "read-only"])
def test_a_file_without_the_rights_to_it_is_named(tmp_path: Path, sound: bytes, mode: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "x.duckdb"
    path.write_bytes(sound)
    path.chmod(mode)
    _open_the_way_to(folder)

    with without_rights(), pytest.raises(StoreError, match=r"x\.duckdb: .*Permission denied"):
        Store.open(path)

    assert path.read_bytes() == sound


def test_a_folder_without_the_rights_to_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o000)
    _open_the_way_to(tmp_path)

    try:
        with without_rights(), pytest.raises(StoreError, match="Permission denied"):
            Store.open(folder / "x.duckdb")
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def _open_the_way_to(folder: Path) -> None:
    """Lets everybody pass the folders that pytest made for us alone."""
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
