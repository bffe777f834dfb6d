"""The wired parts that interactions work with. `app.py` builds one; tests build their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

import anyio

from fhir_server.clock import Clock, IdSource
from fhir_server.definitions.registry import Definitions, ResourceSupport
from fhir_server.errors import NotFound
from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.indexing import Indexer
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.policy import WritePolicy
from fhir_server.search.context import SearchContext
from fhir_server.search.cursor import PageTokens
from fhir_server.search.extract import Extractor
from fhir_server.settings import Settings
from fhir_server.store.contract import Store
from fhir_server.terminology import LocalTerminology
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
class RuleSet:
    """What resources are judged by, bound together: definitions, and what has been built of them."""

    definitions: Definitions
    validator: Validator
    terminology: LocalTerminology
    extractor: Extractor
    unready: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Search parameters, by type and code, that new writes are filed by and what is stored not yet: their URLs."""


def rule_set(
    definitions: Definitions, validator: Validator | None = None, extractor: Extractor | None = None
) -> RuleSet:
    """Returns the rules of some definitions; they are compiled when they are first met, unless they are told."""
    return RuleSet(
        definitions,
        validator or Validator(definitions),
        LocalTerminology(definitions),
        extractor or Extractor(definitions, ZoneInfo("Asia/Shanghai")),
    )


class Keeper(Protocol):
    """Keeps rules in step with the definitions that any server has put into the store."""

    def is_behind(self) -> bool:
        """Tells whether another server has changed some; asking costs nothing."""

    async def catch_up(self) -> None:
        """Puts in force what counts by now."""


@dataclass(slots=True, eq=False)
class Rules:
    """Holds the rule set that counts now. A new one is built aside and put here, whole; a request may see both.

    `heard` are the news of the store that it takes account of.
    """

    current: RuleSet
    indexer: Indexer | None = None
    keeper: Keeper | None = None
    heard: int = 0

    async def catch_up(self) -> None:
        """Makes sure that every definition counts whose commit has been acknowledged, by whichever server."""
        if self.keeper is not None and self.keeper.is_behind():
            await self.keeper.catch_up()


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Everything an interaction needs, wired once; one is equal to itself alone."""

    settings: Settings
    rules: Rules
    store: Store
    clock: Clock
    ids: IdSource
    pages: PageTokens
    operations: Mapping[str, OperationPlace] = field(default_factory=dict)
    policy: WritePolicy = field(default_factory=WritePolicy)
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    """Writes that lost a race are repeated one at a time, or most of fifty at once would lose again and again."""
    line: anyio.Lock = field(default_factory=anyio.Lock)
    """Transactions are planned one after another: in turns all would be ready at once, and the store idle until then."""

    @property
    def definitions(self) -> Definitions:
        """The definitions that count now."""
        return self.rules.current.definitions

    @property
    def extractor(self) -> Extractor:
        """What computes index entries now."""
        return self.rules.current.extractor

    @property
    def validator(self) -> Validator:
        """The validator that counts now."""
        return self.rules.current.validator

    @property
    def terminology(self) -> LocalTerminology:
        """The code systems and value sets that count now."""
        return self.rules.current.terminology

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
            terminology=self.terminology,
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
