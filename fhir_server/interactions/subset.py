"""Parts of resources: `_summary` and `_elements`, https://hl7.org/fhir/R4/search.html#summary."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fhir_server.definitions.registry import Definitions
from fhir_server.errors import NotSupported, SearchValueInvalid
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.shapes import JsonObject

SUMMARIES = ("true", "text", "data", "count", "false")
NAMES = ("_summary", "_elements")
SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
"""The tag of a resource that is not whole, so that nobody stores it back as if it were."""

_ALWAYS = frozenset({"resourceType", "id", "meta"})
_WHOLE = frozenset({"Extension", "Meta"})
"""Data types whose parts make no sense alone, though R4 marks none of them as summary."""


@dataclass(frozen=True, slots=True)
class Subset:
    """Which part is wanted: a `_summary` (`true`, `text`, `data`, `count`), or the named `elements`, or all of it."""

    summary: str = ""
    elements: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Tells whether nothing is left out."""
        return not self.elements and self.summary in ("", "count")


WHOLE = Subset()


def subset_of(
    pairs: Iterable[tuple[str, str]], definitions: Definitions, types: Collection[str], *, counted: bool = True
) -> Subset:
    """Reads `_summary` and `_elements` for resources of `types`; other names are passed over.

    `counted` says whether `_summary=count` makes sense.

    Raises:
        SearchValueInvalid: another value, or an element that none of the types has.
        NotSupported: both are asked for.
    """
    asked = {name: value for name, value in pairs if name in NAMES and value}
    if not asked:
        return WHOLE
    summary = asked.get("_summary", "false")
    valid = [s for s in SUMMARIES if counted or s != "count"]
    if summary not in valid:
        raise _invalid("_summary", summary, valid)
    if "_elements" in asked and summary != "false":
        raise NotSupported.of("rest.subset-twice", "_elements", summary=summary)
    elements = frozenset(name.strip() for name in asked.get("_elements", "").split(",") if name.strip())
    _check_elements(elements, definitions, types)
    return Subset("" if summary == "false" else summary, elements)


def _check_elements(elements: frozenset[str], definitions: Definitions, types: Collection[str]) -> None:
    known = {name for type_ in types for name in _top_level(definitions, type_)}
    for element in sorted(elements - known):
        raise _invalid("_elements", element, sorted(known) if len(types) == 1 else ["top-level elements"])


def _invalid(name: str, value: str, valid: Sequence[str]) -> SearchValueInvalid:
    return SearchValueInvalid.of("rest.parameter-invalid", name, name=name, value=value, expected=", ".join(valid))


def shown(body: bytes, subset: Subset, definitions: Definitions) -> bytes:
    """Returns the wanted part of a resource's JSON, tagged as a part; id, meta and mandatory elements are always there."""
    return body if subset.is_whole else encode(part_of(decode(body), subset, definitions))


def part_of(resource: JsonObject, subset: Subset, definitions: Definitions) -> JsonObject:
    """Returns the wanted part of a resource, tagged as a part; with it stays what it refers to inside the resource."""
    type_ = str(resource["resourceType"])
    if subset.summary == "true":
        part = _summary(resource, type_, definitions)
    elif subset.summary == "data":
        part = {key: value for key, value in resource.items() if key not in ("text", "_text")}
    else:
        names = {"text"} if subset.summary == "text" else subset.elements
        kept = _mandatory_keys(definitions, type_) | {k for name in names for k in _keys(definitions, type_, name)}
        part = {key: value for key, value in resource.items() if key.removeprefix("_") in kept}
    part = {key: value for key, value in resource.items() if key in _ALWAYS} | part
    return _tagged(part | _referred_inside(part, resource))


def _referred_inside(part: JsonObject, resource: JsonObject) -> JsonObject:
    """Returns the contained resources that a part refers to, or that they refer to, as `contained`, or nothing."""
    inside = {f"#{one.get('id')}": one for one in resource.get("contained", ()) if "contained" not in part}
    named: dict[str, JsonObject] = {}
    waiting = list(_anchors(part, inside)) if inside else []
    while waiting:
        anchor = waiting.pop()
        if anchor not in named:
            named[anchor] = inside[anchor]
            waiting += _anchors(inside[anchor], inside)
    return {"contained": [one for anchor, one in inside.items() if anchor in named]} if named else {}


def _anchors(value: Any, inside: Collection[str]) -> Iterator[str]:
    """Yields the strings inside a value that name one of the contained resources."""
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _anchors(child, inside)
    elif isinstance(value, str) and value in inside:
        yield value


def _tagged(resource: JsonObject) -> JsonObject:
    meta = resource.get("meta", {})
    tags = [tag for tag in meta.get("tag", ()) if tag.get("code") != "SUBSETTED"]
    return resource | {"meta": {**meta, "tag": [*tags, SUBSETTED]}}


def _summary(value: JsonObject, type_: str, definitions: Definitions) -> JsonObject:
    kept = _summary_keys(definitions, type_)
    return {
        key: _summarised(child, kept[name], definitions)
        for key, child in value.items()
        if (name := key.removeprefix("_")) in kept
    }


def _summarised(value: Any, type_: str, definitions: Definitions) -> Any:
    if isinstance(value, list):
        return [_summarised(item, type_, definitions) for item in value]
    is_complex = isinstance(value, dict) and type_ in definitions.model.properties and type_ not in _WHOLE
    return _summary(value, type_, definitions) if is_complex and type_ != "Resource" else value


@lru_cache(maxsize=4096)
def _summary_keys(definitions: Definitions, type_: str) -> Mapping[str, str]:
    """Returns the JSON keys of a type or backbone that a summary keeps, each with the type of its value."""
    properties = definitions.model.properties[type_]
    names = [name for name, is_summary, least in _children(definitions, type_) if is_summary or least]
    keys = {key for name in [*names, "id", "meta"] for key in _keys(definitions, type_, name)}
    return {key: properties[key].type for key in keys if key in properties}


@lru_cache(maxsize=512)
def _mandatory_keys(definitions: Definitions, type_: str) -> frozenset[str]:
    names = [name for name, _, least in _children(definitions, type_) if least]
    return frozenset(key for name in names for key in _keys(definitions, type_, name))


@lru_cache(maxsize=512)
def _top_level(definitions: Definitions, type_: str) -> frozenset[str]:
    choices = {p.choice for p in definitions.model.properties[type_].values() if p.choice}
    return frozenset(definitions.model.properties[type_]) | choices | {f"{name}[x]" for name in choices} | _ALWAYS


def _keys(definitions: Definitions, type_: str, name: str) -> tuple[str, ...]:
    """Returns the JSON keys of an element: its name, or those that a choice may use."""
    return (*definitions.model.choice_keys(type_, name.removesuffix("[x]")), name)


def _children(definitions: Definitions, type_: str) -> list[tuple[str, bool, int]]:
    """Returns name, summary flag and least number of the elements right below a type or backbone path."""
    elements = definitions.structure_of_type(type_.partition(".")[0]).elements
    start = f"{type_}."
    below = [e for e in elements if e.path.startswith(start) and "." not in e.path[len(start) :]]
    return [(e.path[len(start) :], e.is_summary, e.min) for e in below]
