"""The embedded store: one SQLite file in WAL mode, https://www.sqlite.org/wal.html."""

from fhir_server.store.sqlite.open import open_store
from fhir_server.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "open_store"]
