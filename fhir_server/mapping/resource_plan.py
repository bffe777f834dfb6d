"""One resource of a map as it is compiled. See docs/decisions/0002-mapping-language.md."""

from dataclasses import dataclass

from fhir_server.mapping.conditions import Condition
from fhir_server.mapping.nodes import Node
from fhir_server.mapping.template import FieldAccess


@dataclass(frozen=True, slots=True)
class ResourcePlan:
    """One resource of a map. `fallback` stands in for an empty `key`; `each` makes one resource a line."""

    name: str
    type: str
    entity: str
    key: tuple[FieldAccess, ...]
    fallback: tuple[FieldAccess, ...]
    when: Condition
    each: FieldAccess | None
    body: Node
    identifier_system: str
    collect: tuple[str, ...]
    is_record_key: bool


@dataclass(frozen=True, slots=True)
class Made:
    """Which resource of the map a bundle entry is, and its line (from 1) when it is one of `each`; 0 otherwise."""

    name: str
    line: int
