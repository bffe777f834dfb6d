"""The wired parts that interactions work with. `app.py` builds one; tests build their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

from fhir_server.clock import Clock, IdSource
from fhir_server.definitions.registry import Definitions, ResourceSupport
from fhir_server.errors import NotFound
from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.search.context import SearchContext
from fhir_server.search.cursor import PageTokens
from fhir_server.search.extract import Extractor
from fhir_server.settings import Settings
from fhir_server.store.contract import Store
from fhir_server.validation import Validator


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation was called on: the system, a type, or one resource."""

    type: ResourceType | None = None
    id: str | None = None


class Operation(Protocol):
    """A FHIR operation (`$name`), https://hl7.org/fhir/R4/operations.html."""

    async def __call__(self, parts: "Parts", request: FhirRequest, target: Target) -> FhirResponse:
        """Runs the operation."""


@dataclass(frozen=True, slots=True)
class OperationPlace:
    """Where an operation may be called: on the system, on a type, on an instance; and by which verbs."""

    run: Operation
    on_system: bool = False
    on_type: bool = False
    on_instance: bool = False
    verbs: tuple[str, ...] = ("POST",)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Everything an interaction needs, wired once; one is equal to itself alone."""

    settings: Settings
    definitions: Definitions
    store: Store
    validator: Validator
    extractor: Extractor
    clock: Clock
    ids: IdSource
    pages: PageTokens
    operations: Mapping[str, OperationPlace] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of dates without an offset."""
        return ZoneInfo(self.settings.zone)

    def search_context(self, base: str = "", *, lenient: bool = False) -> SearchContext:
        """Returns the surroundings in which a query is read; `base` is this server's own URL."""
        settings = self.settings
        return SearchContext(
            definitions=self.definitions,
            zone=self.zone,
            now=self.clock.now(),
            base_url=base,
            default_count=settings.default_count,
            max_count=settings.max_count,
            lenient=lenient,
        )

    def support(self, type_: str) -> ResourceSupport:
        """Returns what the server does with a type.

        Raises:
            NotFound: the type is not supported; the issue lists those that are.
        """
        known = self.definitions.resources
        found = known.get(ResourceType(type_))
        if found is None:
            raise NotFound.of("rest.type-unsupported", type=type_, valid=", ".join(sorted(known)))
        return found
