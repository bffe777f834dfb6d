"""The navigation model of FHIR types: which JSON properties each type has, https://hl7.org/fhir/R4/json.html.

`properties["Patient"]["birthDate"]` is `Property("date", False, None)`, `properties["Observation"]["valueQuantity"]` is
`Property("Quantity", False, "value")`; backbone elements go by their path: `properties["Patient.contact"]["name"]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fhir_server.fhir.shapes import JsonObject


@dataclass(frozen=True, slots=True)
class Property:
    """One JSON property: the type of its value (or backbone path), whether it is an array, and its choice element."""

    type: str
    is_array: bool
    choice: str | None


@dataclass(frozen=True, slots=True)
class TypeModel:
    """All types of one FHIR version.

    `properties` maps a type or backbone path to its JSON properties, inherited ones included; primitives have none
    listed. `parents` maps a type to the one it derives from. A choice element appears once per concrete key.
    """

    properties: Mapping[str, Mapping[str, Property]]
    parents: Mapping[str, str]
    primitives: frozenset[str]
    resources: frozenset[str]

    def is_a(self, type_: str, ancestor: str) -> bool:
        """Tells whether `type_` is `ancestor` or derives from it (`Patient` is a `DomainResource`)."""
        current: str | None = type_
        while current and current != ancestor:
            current = self.parents.get(current)
        return current == ancestor

    def choice_keys(self, type_: str, name: str) -> tuple[str, ...]:
        """Returns the JSON keys that a choice element may use: `value` -> (`valueQuantity`, `valueString`, ...)."""
        return tuple(k for k, p in self.properties.get(type_, {}).items() if p.choice == name)


def type_model_of(table: JsonObject) -> TypeModel:
    """Builds the model from the table that `conformance/r4/build.py` writes.

    The table: `{"types": {type: {key: [type, is_array, choice|null]}}, "parents": {...}, "primitives": [...],
    "resources": [...]}`.
    """
    properties = {
        type_: {key: Property(entry[0], bool(entry[1]), entry[2]) for key, entry in keys.items()}
        for type_, keys in table["types"].items()
    }
    return TypeModel(properties, table["parents"], frozenset(table["primitives"]), frozenset(table["resources"]))
