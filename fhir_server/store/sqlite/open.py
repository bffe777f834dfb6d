"""Opens the embedded store: checks the library, sets the connections up, https://www.sqlite.org/pragma.html."""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path

import apsw

from fhir_server.errors import StoreUnavailable
from fhir_server.store.sqlite.content import give_function
from fhir_server.store.sqlite.failures import translated
from fhir_server.store.sqlite.lock import WriteLock
from fhir_server.store.sqlite.log import WriteAheadLog
from fhir_server.store.sqlite.readers import Readers
from fhir_server.store.sqlite.recent import Recent
from fhir_server.store.sqlite.schema import prepare
from fhir_server.store.sqlite.store import SqliteStore
from fhir_server.store.sqlite.writer import IDLE_S, MOST_DEFERRED, MOST_UNINDEXED, Habits, Writer

OLDEST_LIBRARY = (3, 51, 3)
"""Earlier versions may reset a write-ahead log that is still needed, https://www.sqlite.org/releaselog/3_51_3.html."""

BUSY_MS = 10_000
"""How long a foreign program's lock is waited for, in milliseconds."""

LOG_LIMIT_BYTES = 64 * 1024 * 1024
"""The file of the write-ahead log is cut back to this size when it begins anew."""

LOG_BYTES = 16 * 1024 * 1024
BULK_LOG_BYTES = 256 * 1024 * 1024
"""Size of the write-ahead log at which it is copied into the database."""

MOST_WRITES = 1_000
BULK_MOST_WRITES = 20_000
"""Waiting commits are gathered into one transaction until they have so many writes."""

STATEMENTS = 256
"""Compiled statements that a connection keeps."""

_MEMORY_DISK = "/dev/shm"  # noqa: S108 - where Linux keeps files in memory; the folder inside is private

CACHE_KIB = 32 * 1024
BULK_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 16 * 1024
"""Page cache of the writing and of each reading connection, at most."""

HEAP_BYTES = 40 * 1024 * 1024
BULK_HEAP_BYTES = 128 * 1024 * 1024
"""Memory of all connections of the process together: near it, caches grow no more, https://www.sqlite.org/malloc.html.

The file is not mapped: that would count as memory of the process, once for each connection, up to the size of the file,
and spares no more than a tenth of a search.
"""


def open_store(
    path: str, *, durable: bool = True, bulk: bool = False, limit_s: float = 30.0, vfs: str | None = None
) -> SqliteStore:
    """Opens the store in the file `path`, creating it when there is none.

    `:memory:` is a file in a private temporary folder, gone when the store is closed. `durable=False` never waits for
    the disk: a power cut may lose everything. `bulk` suits imports: larger transactions, rarer checkpoints, no
    filing of words behind the commits, the same promises. `limit_s` is the longest that one read may take, in seconds. `vfs` names a registered SQLite VFS.

    Raises:
        StoreUnavailable: the file is not a store of this program's version, cannot be opened, or the SQLite library
            is older than `OLDEST_LIBRARY`.
    """
    check_library(apsw.sqlite_lib_version())
    apsw.soft_heap_limit(BULK_HEAP_BYTES if bulk else HEAP_BYTES)
    setup = _Setup(path, durable=durable, bulk=bulk, vfs=vfs)
    if path != ":memory:":
        return _opened(setup, limit_s, at_end=_nothing)
    folder = tempfile.mkdtemp(prefix="fhir-store-", dir=_MEMORY_DISK if Path(_MEMORY_DISK).is_dir() else None)
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    store = _opened(replace(setup, path=str(Path(folder) / "store.db"), durable=False), limit_s, at_end=remove)
    weakref.finalize(store, remove)
    return store


def library_version() -> str:
    """Returns the version of the SQLite library that comes with apsw."""
    return apsw.sqlite_lib_version()


def check_library(version: str) -> None:
    """Refuses a SQLite library that may damage the store.

    Raises:
        StoreUnavailable: `version` is older than `OLDEST_LIBRARY`.
    """
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST_LIBRARY:
        wanted = ".".join(map(str, OLDEST_LIBRARY))
        raise StoreUnavailable.of("store.library-affected", found=version, wanted=wanted)


@dataclass(frozen=True, slots=True)
class _Setup:
    path: str
    durable: bool
    bulk: bool
    vfs: str | None


def _opened(setup: _Setup, limit_s: float, *, at_end: Callable[[], None]) -> SqliteStore:
    with translated(), ExitStack() as undo:
        connection = _connect(setup)
        undo.callback(connection.close)
        lock = WriteLock(f"{Path(setup.path).resolve()}-lock")  # behind a link is the same store, with the same lock
        undo.callback(lock.close)
        with lock.held():
            _prepare_writer(connection, setup)
        undo.pop_all()
    bulk, usual = Habits(BULK_MOST_WRITES, 0, 0, inf), Habits(MOST_WRITES, MOST_UNINDEXED, MOST_DEFERRED, IDLE_S)
    log = WriteAheadLog(connection, BULK_LOG_BYTES if setup.bulk else LOG_BYTES, busy_ms=BUSY_MS)
    writer = Writer(connection, lock, log, bulk if setup.bulk else usual)
    readers = Readers(partial(_connect_reader, setup))
    return SqliteStore(writer, readers, recent=Recent(lock.calm), limit_s=limit_s, at_end=at_end)


def _prepare_writer(connection: apsw.Connection, setup: _Setup) -> None:
    prepare(connection)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full" if setup.durable else "off")
    connection.pragma("journal_size_limit", LOG_LIMIT_BYTES)
    connection.pragma("cache_size", -(BULK_CACHE_KIB if setup.bulk else CACHE_KIB))


def _connect_reader(setup: _Setup) -> apsw.Connection:
    connection = _connect(setup)
    connection.pragma("query_only", value=True)
    connection.pragma("cache_size", -READER_CACHE_KIB)
    connection.pragma("mmap_size", 0)
    return connection


def _connect(setup: _Setup) -> apsw.Connection:
    connection = apsw.Connection(setup.path, vfs=setup.vfs, statementcachesize=STATEMENTS)
    connection.set_busy_timeout(BUSY_MS)
    give_function(connection)
    return connection


def _nothing() -> None:
    pass
