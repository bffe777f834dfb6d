"""How far the index has been built anew, https://hl7.org/fhir/R4/async.html."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fhir_server.fhir.shapes import ResourceType
from fhir_server.store.contract import Key


@dataclass(slots=True, eq=False)
class IndexJob:
    """One run over everything stored of some types: `done` of `total` resources, `skipped` of them not indexable.

    `state` is `running`, `completed`, `cancelled` or `failed`. `codes` are the search parameters that wait for it. `begun`
    is in seconds since 1970.
    """

    id: str
    types: tuple[ResourceType, ...]
    total: int = 0
    done: int = 0
    skipped: int = 0
    state: str = "running"
    codes: tuple[str, ...] = field(default=())
    begun: float = 0.0

    @property
    def progress(self) -> str:
        """The progress in one line."""
        percent = 100 * self.done // self.total if self.total else 0
        return f"{self.state}: {self.done} of {max(self.total, self.done)} resources ({min(percent, 100)} %)"


class Indexer(Protocol):
    """Builds the index anew while the server serves."""

    @property
    def jobs(self) -> Mapping[str, IndexJob]:
        """The runs of this server since its start, and those of others that are known, by id."""

    async def runs(self) -> Mapping[str, IndexJob]:
        """Returns the last runs of every server on the store, by id."""

    def resume(self) -> None:
        """Starts the runs that wait since the start of the server."""

    async def begin(self, types: Sequence[ResourceType], *, only: Key | None = None) -> IndexJob:
        """Starts a run over everything of some types, or over one resource, and returns at once."""

    async def cancel(self, id_: str) -> None:
        """Ends a run, whichever server's; what it has filed stays filed."""
