"""A SQLite VFS on the platform's own that remembers what a power cut would leave, and can run out of space.

https://www.sqlite.org/vfs.html. A write counts as lost until its file is synced; `-shm` files are memory, not disk.
The power goes out for all files at one moment: a database of before a checkpoint beside a log of after it never was.
"""

import random
from pathlib import Path
from threading import Lock
from typing import Any

import apsw

Change = tuple[int, bytes | None]
"""Written bytes at an offset, or, without bytes, the new length."""


class Disk(apsw.VFS):
    """The disk. `refuses` makes every write fail with that error."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.refuses: type[apsw.Error] | None = None
        self._safe: dict[str, bytearray] = {}
        self._unsafe: dict[str, list[Change]] = {}
        self._moment = Lock()

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        with self._moment:
            if path not in self._safe:
                self._safe[path] = bytearray(Path(path).read_bytes() if Path(path).exists() else b"")
                self._unsafe[path] = []
        return DiskFile(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        with self._moment:
            self._safe.pop(filename, None)
            self._unsafe.pop(filename, None)

    def wrote(self, path: str, change: Change) -> None:
        """Notes a change that no sync has covered yet."""
        with self._moment:
            self._unsafe[path].append(change)

    def synced(self, path: str) -> None:
        """Makes everything that was written to the file safe."""
        with self._moment:
            changes, self._unsafe[path] = self._unsafe[path], []
            for change in changes:
                _apply(self._safe[path], change)

    def cut_power(self, folder: Path, *, luck: float, seed: int) -> None:
        """Writes into `folder` what is left of each file; an unsafe write survives with probability `luck`."""
        rng = random.Random(seed)
        folder.mkdir()
        with self._moment:
            for path, safe in self._safe.items():
                left = bytearray(safe)
                for change in self._unsafe[path]:
                    if rng.random() < luck:
                        _apply(left, change)
                (folder / Path(path).name).write_bytes(left)


class DiskFile(apsw.VFSFile):
    """One open file of the disk."""

    def __init__(self, disk: Disk, path: str, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = path

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._disk.refuses is not None:
            raise self._disk.refuses
        super().xWrite(data, offset)
        self._disk.wrote(self._path, (offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        super().xTruncate(newsize)
        self._disk.wrote(self._path, (newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        self._disk.synced(self._path)


def _apply(content: bytearray, change: Change) -> None:
    offset, data = change
    if data is None:
        del content[offset:]
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data
