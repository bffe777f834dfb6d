"""What an evaluation may know beside its input: variables, a clock, and doors to the outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from time import time
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from fhir_server.clock import SystemClock
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath.limits import Budget
from fhir_server.fhirpath.nodes import Collection
from fhir_server.fhirpath.units import Units, measure_of
from fhir_server.settings import Settings

Resolve: TypeAlias = Callable[[str], JsonObject | None]
"""Reference text (`Patient/1`, a URL, a canonical) -> the resource, or None."""
MemberOf: TypeAlias = Callable[[Any, str, str], bool | None]
"""(JSON value, its FHIR type, value set URL) -> membership, or None when it cannot be told."""
ConformsTo: TypeAlias = Callable[[JsonObject, str], bool | None]
"""(resource, profile URL) -> conformance, or None when the profile is unknown."""
Subsumes: TypeAlias = Callable[[JsonObject, JsonObject], bool | None]
"""(Coding, Coding) -> whether the first subsumes the second, or None when it cannot be told."""

Trace: TypeAlias = Callable[[str, Collection], None]
"""(name, items) of a trace(): shown to whoever asked for the evaluation, never logged, because it is personal data."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The surroundings of one evaluation.

    `variables` are the `%name`s. `now` is the one instant of now(), today() and timeOfDay(). `assume_types`: an
    unresolved reference stands for a resource of the type in its text. `strict`: unknown elements are errors. `budget`
    limits what a stranger's expression may cost; None is for trusted ones.
    """

    model: TypeModel
    variables: Mapping[str, Collection]
    now: datetime
    resolve: Resolve | None = None
    member_of: MemberOf | None = None
    conforms_to: ConformsTo | None = None
    subsumes: Subsumes | None = None
    trace: Trace | None = None
    units: Units = measure_of
    assume_types: bool = False
    strict: bool = False
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What `$this`, `$index`, `$total` and variables of defineVariable() mean at one point of an expression.

    `defined` belongs to one chain of invocations, which adds to it as it goes; `None` where no chain defines any.
    """

    environment: Environment
    this: Collection
    index: int | None = None
    total: Collection | None = None
    defined: dict[str, Collection] | None = None

    def forked(self) -> "Scope":
        """Returns the scope of a chain of its own: it sees what is defined so far, and keeps what it defines."""
        return replace(self, defined=dict(self.defined or {}))


Closure: TypeAlias = Callable[[Scope], Collection]
"""A compiled sub-expression."""

_DEFAULT_ZONE = ZoneInfo(Settings().zone)


def clock_now() -> datetime:
    """Returns the current instant in the default zone of the settings, for callers that bring no clock."""
    return SystemClock().now().astimezone(_DEFAULT_ZONE)


def clock_day() -> date:
    """Returns the current day in that zone."""
    return _day_in(int(time() // _QUARTER_S))


_QUARTER_S = 900
"""Seconds of a quarter of an hour: no zone begins a day between two quarters."""


@lru_cache(1)
def _day_in(quarter: int) -> date:
    return datetime.fromtimestamp(quarter * _QUARTER_S, _DEFAULT_ZONE).date()
