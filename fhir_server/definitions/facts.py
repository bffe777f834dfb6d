"""The compact facts about R4 in `conformance/r4`, https://hl7.org/fhir/R4/downloads.html, read when first asked for.

A file is unpacked and indexed once a process; what an index points at stays JSON text until somebody wants it.
"""

import gzip
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from fhir_server.data_files import data_folder
from fhir_server.definitions.shapes import Constraint, StructureDefinition
from fhir_server.definitions.snapshots import build_constraint, build_structure
from fhir_server.fhir.shapes import JsonObject

_INDEX = msgspec.json.Decoder(dict[str, msgspec.Raw])
_JSON: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)

_FILES = {
    "ValueSet": "value-sets.json.gz",
    "CodeSystem": "code-systems.json.gz",
    "ConceptMap": "concept-maps.json.gz",
    "SearchParameter": "search-parameters.json.gz",
    "OperationDefinition": "operations.json.gz",
}


def unpack(name: str) -> bytes:
    """Returns the content of a compressed file of facts."""
    return gzip.decompress((data_folder("conformance") / "r4" / name).read_bytes())


@cache
def _index(type_: str) -> Mapping[str, msgspec.Raw]:
    return _INDEX.decode(unpack(_FILES[type_]))


def urls(type_: str) -> tuple[str, ...]:
    """Returns the canonical URLs of R4's own resources of a type (ValueSet, CodeSystem, ConceptMap ...), sorted."""
    return tuple(sorted(_index(type_)))


def find(type_: str, url: str) -> JsonObject | None:
    """Returns one of R4's own resources, pruned to what matters at run time, or None. It is decoded at each call."""
    raw = _index(type_).get(url) if type_ in _FILES else None
    return None if raw is None else _JSON.decode(raw)


@cache
def compartments() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Returns, per compartment (`Patient`), which search parameters put each resource type into it."""
    raw = (data_folder("conformance") / "r4" / "compartments.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, dict[str, tuple[str, ...]]])


@cache
def _constraints() -> Sequence[JsonObject]:
    constraints: Sequence[JsonObject] = _JSON.decode(_INDEX.decode(unpack("structures.json.gz"))["constraints"])
    return constraints


def snapshot(url: str) -> JsonObject | None:
    """Returns one of R4's own StructureDefinitions with its snapshot as JSON, pruned, or None; read at each call."""
    raw = _structures()[1].get(url)
    if raw is None:
        return None
    resource: JsonObject = _JSON.decode(raw)
    for element in resource["snapshot"]["element"]:
        if "constraint" in element:
            element["constraint"] = [_constraints()[number] for number in element["constraint"]]
    return resource


@cache
def _structures() -> tuple[tuple[Constraint, ...], Mapping[str, msgspec.Raw]]:
    parts = _INDEX.decode(unpack("structures.json.gz"))
    constraints = tuple(build_constraint(c, {}) for c in _JSON.decode(parts["constraints"]))
    return constraints, _INDEX.decode(parts["structures"])


def is_structure(url: str) -> bool:
    """Tells whether R4 itself defines a type, profile or extension with this canonical URL."""
    return url in _structures()[1]


def structure_urls() -> tuple[str, ...]:
    """Returns the canonical URLs of R4's own types, profiles and extensions, sorted."""
    return tuple(sorted(_structures()[1]))


@cache
def structure(url: str) -> StructureDefinition | None:
    """Returns one of R4's own types, profiles or extensions, built once a process, or None."""
    constraints, raws = _structures()
    return build_structure(_JSON.decode(raws[url]), constraints.__getitem__) if url in raws else None
