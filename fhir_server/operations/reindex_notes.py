"""What the servers of a store tell one another about the runs that file things anew.

Each run has a note, which its server writes anew every second. One that is not is a run whose server is gone; one that
somebody else has changed was ended by a client of another server.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import msgspec

from fhir_server.interactions.indexing import IndexJob
from fhir_server.store.contract import Board

BEAT_S = 1.0
"""How often a run is told of, in seconds."""

SILENT_S = 5.0
"""After so long without a word a run counts as broken off, in seconds."""

MOST_RUNS = 100
"""Runs that are remembered."""

_RUN = "reindex/run/"
_TURN = "reindex/turn"


class _Told(msgspec.Struct):
    """A run, and when it was told of, in seconds since 1970."""

    job: IndexJob
    at: float


_TOLD = msgspec.json.Decoder(_Told)


class RunNotes:
    """The notes of one server; `now` is the time in seconds since 1970."""

    def __init__(self, board: Board, now: Callable[[], float]) -> None:
        self._board = board
        self._now = now
        self._own: dict[str, str] = {}

    async def tell(self, job: IndexJob) -> bool:
        """Tells how far a run of this server is; False when a client of another one has ended it.

        Raises:
            StoreUnavailable: the store cannot write now.
        """
        before, text = self._own.get(job.id), msgspec.json.encode(_Told(job, self._now())).decode()
        self._own[job.id] = text
        if not await self._board.note(_RUN + job.id, text, over=before):
            self._own.pop(job.id, None)
            return False
        if before is None:
            await self._forget_oldest()
        if job.state != "running":
            self._own.pop(job.id, None)
        return True

    async def runs(self) -> Sequence[IndexJob]:
        """Returns the last runs of all servers, the oldest first."""
        told = [_TOLD.decode(text) for text in (await self._board.notes(_RUN)).values()]
        return [self._judged(one) for one in sorted(told, key=lambda one: one.job.begun)]

    async def cancel(self, id_: str) -> None:
        """Ends a run of another server, which learns of it within a second; one that has ended stays as it is."""
        text = (await self._board.notes(_RUN + id_)).get(_RUN + id_)
        told = None if text is None else _TOLD.decode(text)
        if told is not None and told.job.state == "running":
            told.job.state = "cancelled"
            await self._board.note(_RUN + id_, msgspec.json.encode(told).decode(), over=text)

    async def take_turn(self, codes: Collection[str]) -> bool:
        """Tells whether this server is the one to file what waits for some search parameters: no other does, or is about to."""
        text = (await self._board.notes(_TURN)).get(_TURN)
        if text is not None and self._now() - float(text) < SILENT_S:
            return False
        if any(one.state == "running" and not set(codes).isdisjoint(one.codes) for one in await self.runs()):
            return False
        return await self._board.note(_TURN, str(self._now()), over=text)

    def _judged(self, told: _Told) -> IndexJob:
        is_silent = told.job.state == "running" and self._now() - told.at > SILENT_S
        return replace(told.job, state="failed") if is_silent else told.job

    async def _forget_oldest(self) -> None:
        runs = await self.runs()
        for job in runs[: max(0, len(runs) - MOST_RUNS)]:
            name = _RUN + job.id
            await self._board.note(name, None, over=(await self._board.notes(name)).get(name))
