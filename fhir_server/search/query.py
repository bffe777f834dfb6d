"""The typed search query, https://hl7.org/fhir/R4/search.html: a closed set of tests over index rows.

Every store compiles these few classes and `match.py` evaluates them in memory. A test is true of a resource when **any**
of its rows satisfies it; `Not` negates that, so `:not` is `Not(AnyOf(...))`. In the `param` and in the text of a test of rows
WILD stands for any text, see `wild.py`; in what hops and sort keys name it may not stand.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from fhir_server.fhir.shapes import ResourceType


class RangeOp(StrEnum):
    """The prefixes of R4. S is the search range, R the row's, both half-open `[low, high)`.

    eq: S contains R; ne: not eq; gt: R.high > S.high; lt: R.low < S.low; ge: gt or eq; le: lt or eq;
    sa: R.low >= S.high; eb: R.high <= S.low; ap: R and S overlap (the parser has widened S).
    """

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    LT = "lt"
    GE = "ge"
    LE = "le"
    SA = "sa"
    EB = "eb"
    AP = "ap"


@dataclass(frozen=True, slots=True)
class KeyIs:
    """A key equals `param=value`."""

    param: str
    value: str


@dataclass(frozen=True, slots=True)
class KeyStarts:
    """A key starts with `param=prefix`; an empty prefix asks whether the parameter has any key at all."""

    param: str
    prefix: str


@dataclass(frozen=True, slots=True)
class KeyEnds:
    """A key of `param` ends with `suffix` (a token's `system|`)."""

    param: str
    suffix: str


@dataclass(frozen=True, slots=True)
class TextContains:
    """A normalised text of `param` contains `part`, itself normalised."""

    param: str
    part: str


@dataclass(frozen=True, slots=True)
class TextIs:
    """A text of `param`, as it stands, equals `exact`."""

    param: str
    exact: str


@dataclass(frozen=True, slots=True)
class ContentHas:
    """Every phrase occurs in the text of the resource, or in its narrative alone.

    A phrase is words as `search/content.py` makes them, parted by one blank each; there is at least one.
    """

    phrases: tuple[str, ...]
    narrative: bool = False


@dataclass(frozen=True, slots=True)
class RangeTest:
    """A range of `param` stands in relation `op` to `[low, high)`.

    `unit` restricts quantities: None takes any unit; a text with SEPARATOR at its end
    is a prefix, with SEPARATOR at its start a suffix, else equality.
    """

    param: str
    op: RangeOp
    low: int | float
    high: int | float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class HasRange:
    """The parameter has any range at all (`:missing` of dates, numbers, quantities)."""

    param: str


@dataclass(frozen=True, slots=True)
class Near:
    """A position is at most `metres` away, on a sphere, from a place in degrees; its row of latitude and longitude tell.

    The rows are points under `param:latitude` and `param:longitude`; a resource has one position.
    """

    param: str
    latitude: float
    longitude: float
    metres: float


@dataclass(frozen=True, slots=True)
class IdIs:
    """The logical id is one of these (`_id`)."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpdatedTest:
    """The last-updated instant, a point in microseconds, stands in relation `op` to `[low, high)`."""

    op: RangeOp
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one clause holds; none given: never."""

    clauses: "tuple[Clause, ...]"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every clause holds; none given: always."""

    clauses: "tuple[Clause, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The clause does not hold of the resource as a whole."""

    clause: "Clause"


@dataclass(frozen=True, slots=True)
class RefersTo:
    """The resource refers by `param` to a current resource of `type` that satisfies every clause (a chain).

    Resources that it contains count, see `contained.py`.
    """

    param: str
    type: ResourceType
    where: "tuple[Clause, ...]"


@dataclass(frozen=True, slots=True)
class ReferredBy:
    """A current resource of `type` that satisfies every clause refers by `param` to this one (`_has`)."""

    type: ResourceType
    param: str
    where: "tuple[Clause, ...]"


@dataclass(frozen=True, slots=True)
class Contains:
    """The resource contains one of `type` that satisfies every clause; with a `number`, it is that one of its type."""

    type: ResourceType
    where: "tuple[Clause, ...]"
    number: int | None = None


Test: TypeAlias = (
    KeyIs | KeyStarts | KeyEnds | TextContains | TextIs | ContentHas | RangeTest | HasRange | Near | IdIs | UpdatedTest
)
Clause: TypeAlias = Test | AnyOf | AllOf | Not | RefersTo | ReferredBy | Contains


class SortBy(StrEnum):
    """Where a sort value comes from."""

    ID = "id"
    UPDATED = "updated"
    CLINICAL = "clinical"  # the type's sort date, filed in every row
    KEY = "key"  # least key of the parameter (token, reference, uri)
    TEXT = "text"  # least normalised text of the parameter
    RANGE = "range"  # least low of the parameter


@dataclass(frozen=True, slots=True)
class Hop:
    """From a resource to the current resources of `type` that it refers to by `param`."""

    param: str
    type: ResourceType


@dataclass(frozen=True, slots=True)
class SortKey:
    """One `_sort` key. Ascending takes the least value of a resource, descending the greatest; absent values are last.

    With `through` the values are those of the resources that these hops lead to, not the resource's own.
    """

    by: SortBy
    param: str = ""
    descending: bool = False
    through: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of the store: one type, clauses that all must hold, order, page size, and whether to count.

    Results are ordered by `sort`, then by id ascending, so that the order is total.
    """

    type: ResourceType
    where: tuple[Clause, ...] = ()
    sort: tuple[SortKey, ...] = field(default=(SortKey(SortBy.UPDATED, descending=True),))
    count: int = 20
    with_total: bool = False
    count_most: int | None = None
    """Matches that are counted at most; the total is one more where there are more."""
    count_briefly: bool = False
    """Counting ends after a moment, as if there were more than `count_most`, which is set then."""
    latest: int | None = None
    """No match has a later sort date, in microseconds, because `where` says so: a walk down the sort dates may begin here."""
