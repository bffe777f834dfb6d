"""Search parameters of one type: R4's own and ours, https://hl7.org/fhir/R4/searchparameter-registry.html.

R4 writes one expression for all bases of a parameter, `AllergyIntolerance.code | Condition.code | ...`; here each type
gets the branches that speak of it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from fhir_server.definitions import facts
from fhir_server.definitions.shapes import SearchParameter
from fhir_server.fhir.shapes import Canonical, JsonObject, ResourceType
from fhir_server.fhirpath.model import r4_model

_ON_EXTENSIONS = re.compile(r"-(extensions|genetic)-")
"""In the URL of R4 parameters that belong to extensions and are no part of a type's own list (`mothersMaidenName`)."""


def _first_entry(type_: str) -> str:
    return f"Bundle.entry[0].resource.ofType({type_}) | Bundle.entry[0].where(resource is {type_}).fullUrl"


_REPAIRS: Mapping[str, str] = MappingProxyType(
    {
        "http://hl7.org/fhir/SearchParameter/Bundle-composition": _first_entry("Composition"),
        "http://hl7.org/fhir/SearchParameter/Bundle-message": _first_entry("MessageHeader"),
        "http://hl7.org/fhir/SearchParameter/CapabilityStatement-fhirversion": "CapabilityStatement.fhirVersion",
    }
)
"""Expressions by URL that run instead of the published ones.

Both of Bundle's say `Bundle.entry[0].resource`, of whatever type it is, and a resource is no reference: its fullUrl is.
`fhirversion`, "the version of FHIR", is published with the version of the statement, which `version` has already.
"""

_ROOT = re.compile(r"[(\s]*([A-Z]\w*)")
_PIECE = re.compile(r"'(?:[^'\\]|\\.)*'|`[^`]*`|.", re.DOTALL)


def build_parameter(json: JsonObject) -> SearchParameter:
    """Returns the parameter that a SearchParameter resource describes, on all its bases.

    Raises:
        KeyError: it lacks a required member.
    """
    return SearchParameter(
        code=json["code"],
        url=Canonical(json["url"]),
        kind=json["type"],
        bases=tuple(json["base"]),
        expression=json.get("expression", ""),
        targets=tuple(json.get("target", ())),
        components=tuple((c["definition"], c["expression"]) for c in json.get("component", ())),
        description=json.get("description", ""),
    )


def restrict(parameter: SearchParameter, type_: ResourceType) -> SearchParameter:
    """Returns the parameter for one type: that type as its only base, and only the branches that speak of it."""
    branches = [b for b in split_union(parameter.expression) if _speaks_of(b, type_)]
    return SearchParameter(
        code=parameter.code,
        url=parameter.url,
        kind=parameter.kind,
        bases=(type_,),
        expression=" | ".join(branches),
        targets=parameter.targets,
        components=parameter.components,
        description=parameter.description,
    )


@cache
def split_union(expression: str) -> tuple[str, ...]:
    """Returns the branches of a FHIRPath union, split at the `|` that stand in no bracket and no string."""
    branches, depth = [""], 0
    for piece in _PIECE.findall(expression):
        depth += (piece in "([{") - (piece in ")]}")
        if piece == "|" and not depth:
            branches.append("")
        else:
            branches[-1] += piece
    return tuple(b.strip() for b in branches)


def _speaks_of(branch: str, type_: ResourceType) -> bool:
    root = _ROOT.match(branch)
    return root is None or r4_model().is_a(type_, root[1])


@cache
def published() -> Mapping[Canonical, SearchParameter]:
    """Returns R4's own parameters that can be computed, by canonical URL, on all their bases.

    Left out are those without expression (`_text`, `_content`, `_query`, `_filter`) and those on extensions.
    """
    read = (facts.find("SearchParameter", url) for url in facts.urls("SearchParameter"))
    parameters = (build_parameter(_repaired(j)) for j in read if j and "expression" in j and "base" in j)
    return {p.url: p for p in parameters if not _ON_EXTENSIONS.search(p.url)}


def _repaired(json: JsonObject) -> JsonObject:
    return {**json, "expression": _REPAIRS.get(json["url"], json["expression"])}


@cache
def _published_by_base() -> Mapping[ResourceType, Sequence[SearchParameter]]:
    by_base: dict[ResourceType, list[SearchParameter]] = {}
    for parameter in published().values():
        for base in parameter.bases:
            by_base.setdefault(base, []).append(parameter)
    return by_base


@cache
def published_for(type_: ResourceType) -> Mapping[str, SearchParameter]:
    """Returns R4's own parameters of a type by code, those of Resource and DomainResource included."""
    return {p.code: restrict(p, type_) for base in _lineage(type_) for p in _by(base)}


def _by(base: ResourceType) -> Sequence[SearchParameter]:
    return _published_by_base().get(base, ())


def _lineage(type_: ResourceType) -> Iterator[ResourceType]:
    current: str | None = type_
    while current:
        yield ResourceType(current)
        current = r4_model().parents.get(current)
