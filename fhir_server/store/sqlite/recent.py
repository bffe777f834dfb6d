"""Versions that were read since the last write, by anybody: a point read that finds its own here asks no database.

https://hl7.org/fhir/R4/http.html#read. What is kept is thrown away as a whole as soon as a turn to write begins.
"""

from collections.abc import Callable

from fhir_server.store.contract import Key, StoredVersion

MOST_BYTES = 16 * 1024 * 1024
"""Bodies that are kept, in bytes."""


class Recent:
    """Current versions, as long as nothing is written."""

    def __init__(self, calm: Callable[[], bytes]) -> None:
        """`calm` returns what changes with every write, and nothing while one is under way."""
        self._calm = calm
        self._since = b""
        self._kept: dict[Key, StoredVersion] = {}
        self._bytes = 0

    def now(self) -> bytes:
        """Returns the moment to give to `keep`, to be asked for before the database is."""
        return self._calm()

    def find(self, key: Key) -> StoredVersion | None:
        """Returns the current version if it is kept and still the current one."""
        found = self._kept.get(key)
        return found if found is not None and self._since == self._calm() else None

    def keep(self, version: StoredVersion | None, moment: bytes) -> None:
        """Keeps what was read after `moment`, if nothing has been written since."""
        if version is None or not moment or moment != self._calm():
            return
        size = len(version.body or b"")
        if moment != self._since or self._bytes + size > MOST_BYTES:
            self._since, self._bytes = moment, 0
            self._kept.clear()
        self._kept[version.key] = version
        self._bytes += size

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
