"""OperationDefinitions of the operations that are offered, https://hl7.org/fhir/R4/operationdefinition.html.

Our own are `conformance/operations/<name>.json`, R4's are its facts. They are the same for every store, and read from memory.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, lru_cache

from fhir_server.data_files import data_folder
from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType, VersionId
from fhir_server.interactions.context import Parts
from fhir_server.interactions.shelf import Shelf, indexed, on_shelf
from fhir_server.interactions.write_plan import body_with_meta
from fhir_server.search.extract import Extractor
from fhir_server.store.contract import Key

TYPE = ResourceType("OperationDefinition")
R4_DATE = "2019-11-01"
"""When R4 (4.0.1) was published, https://hl7.org/fhir/R4/history.html."""


@cache
def own_operations(base: str) -> Mapping[str, JsonObject]:
    """Returns the server's own OperationDefinitions by their names; `base` is the canonical base of their URLs."""
    files = sorted((data_folder("conformance") / "operations").glob("*.json"))
    return {file.stem: decode(file.read_bytes().replace(b"{B}", base.encode())) for file in files}


def at_their_place(parts: Parts, type_: str) -> Parts:
    """Returns the parts for interactions with a type: OperationDefinitions are not in the store."""
    offered = frozenset(parts.operations)
    return replace(parts, store=_shelf(parts.definitions, parts.extractor, offered)) if type_ == TYPE else parts


def r4_operations(definitions: Definitions, offered: Collection[str]) -> Mapping[str, JsonObject]:
    """Returns R4's OperationDefinitions of the operations with these names by id; its facts leave out what is the same in all."""
    found = (definitions.operation(url) or {} for url in definitions.canonicals("OperationDefinition"))
    types = {*definitions.resources, "Resource"}
    return {
        one["id"]: {**one, "status": "draft", "date": R4_DATE, "publisher": "HL7 International"}
        for one in found
        if one.get("code") in offered and types.intersection(one.get("resource", ()))
    }


@lru_cache(maxsize=2)
def _shelf(definitions: Definitions, extractor: Extractor, offered: frozenset[str]) -> Shelf:
    kept = []
    for name, resource in {**r4_operations(definitions, offered), **own_operations(definitions.base)}.items():
        key = Key(TYPE, ResourceId(name))
        at = datetime.fromisoformat(resource["date"]).replace(tzinfo=UTC)
        version = on_shelf(key, body_with_meta(resource, key, VersionId(1), at), at)
        kept.append((version, indexed(extractor, version, resource)))
    return Shelf(kept)
