"""StructureDefinition JSON -> `StructureDefinition`, https://hl7.org/fhir/R4/elementdefinition.html.

One reader serves R4's compact facts and the packages: the facts are the published definitions, pruned.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.definitions.choices import with_closed_choices
from fhir_server.definitions.parts import named_part
from fhir_server.definitions.repairs import repaired
from fhir_server.definitions.shapes import Binding, Constraint, Element, Slicing, StructureDefinition, TypeRef
from fhir_server.fhir.shapes import Canonical, JsonObject

_EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
_FHIR_TYPE = _EXTENSION + "structuredefinition-fhir-type"
_REGEX = _EXTENSION + "regex"
_MAX_VALUE_SET = _EXTENSION + "elementdefinition-maxValueSet"
_PROFILE_ELEMENT = _EXTENSION + "elementdefinition-profile-element"
_BEST_PRACTICE = _EXTENSION + "elementdefinition-bestpractice"
_TRANSLATION = _EXTENSION + "translation"
_SYSTEM_TYPE = "http://hl7.org/fhirpath/System."
_TYPED = ("fixed", "pattern", "minValue", "maxValue")
_ROOT_ID = re.compile(r"\w+\.id")


class ElementError(ValueError):
    """An element of a snapshot cannot be read; `path` says which, in FHIRPath, and the text says why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path


def build_structure(
    resource: JsonObject, constraint_of: Callable[[Any], Constraint], *, source: str = ""
) -> StructureDefinition:
    """Returns the type or profile that a StructureDefinition with snapshot describes.

    `constraint_of` reads an entry of `ElementDefinition.constraint`. Cost: about 5 µs an element.

    Raises:
        ElementError: an element lacks what every element has, or has it with the wrong JSON type.
        KeyError: the definition itself lacks a required member.
    """
    kind = resource["kind"]
    return StructureDefinition(
        url=Canonical(resource["url"]),
        version=resource.get("version", ""),
        name=resource["name"],
        type=resource["type"],
        kind=kind,
        abstract=resource.get("abstract", False),
        base=resource.get("baseDefinition"),
        derivation=resource.get("derivation"),
        context=tuple((c["type"], c["expression"]) for c in resource.get("context", ())),
        elements=with_closed_choices(
            [_element_at(i, e, kind, constraint_of) for i, e in enumerate(resource["snapshot"]["element"])]
        ),
        source=source,
        context_invariants=tuple(resource.get("contextInvariant", ())),
    )


def build_constraint(json: JsonObject, sentences: Mapping[str, str]) -> Constraint:
    """Returns the invariant, repaired where R4 published a faulty one.

    The Chinese sentence is the translation extension on `human`, or else the one of `sentences` for the key.
    """
    key = json["key"]
    return Constraint(
        key=key,
        severity=json["severity"],
        human=json["human"],
        expression=repaired(key, json.get("expression", "")),
        zh=_translation(json.get("_human", {})) or sentences.get(key, ""),
        best_practice=_extension(json, _BEST_PRACTICE) is True,
    )


def _translation(human: JsonObject) -> str:
    for extension in human.get("extension", ()):
        parts = {p["url"]: _value(p) for p in extension.get("extension", ())}
        if extension["url"] == _TRANSLATION and str(parts.get("lang")).partition("-")[0] == "zh":
            return str(parts["content"])
    return ""


def _extension(json: JsonObject, url: str) -> Any:
    return next((_value(e) for e in json.get("extension", ()) if e["url"] == url), None)


def _value(extension: JsonObject) -> Any:
    return next((v for k, v in extension.items() if k.startswith("value")), None)


def _element_at(index: int, json: JsonObject, kind: str, constraint_of: Callable[[Any], Constraint]) -> Element:
    try:
        return _element(json, kind, constraint_of)
    except KeyError as error:
        raise ElementError(_place(index, json), f"{error.args[0]} is missing") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise ElementError(_place(index, json), str(error)) from None


def _place(index: int, json: Any) -> str:
    name = f" ({json['id']})" if isinstance(json, dict) and "id" in json else ""
    return f"StructureDefinition.snapshot.element[{index}]{name}"


def _element(json: JsonObject, kind: str, constraint_of: Callable[[Any], Constraint]) -> Element:
    typed = _typed(json)
    return Element(
        id=json["id"],
        path=json["path"],
        min=json["min"],
        max=None if json["max"] == "*" else int(json["max"]),
        types=tuple(_type_ref(t, json["path"], kind) for t in json.get("type", ())),
        content_reference=json.get("contentReference"),
        binding=_binding(json["binding"]) if "binding" in json else None,
        constraints=tuple(constraint_of(c) for c in json.get("constraint", ())),
        slicing=_slicing(json["slicing"]) if "slicing" in json else None,
        slice_name=json.get("sliceName"),
        fixed=typed.get("fixed"),
        pattern=typed.get("pattern"),
        min_value=typed.get("minValue"),
        max_value=typed.get("maxValue"),
        max_length=json.get("maxLength"),
        is_modifier=json.get("isModifier", False),
        is_summary=json.get("isSummary", False),
        must_support=json.get("mustSupport", False),
    )


def _typed(json: JsonObject) -> dict[str, tuple[str, Any]]:
    """Returns the members that carry their type in their name: `fixedCode: x` -> `{"fixed": ("Code", x)}`."""
    keys = [key for key in json if key.startswith(_TYPED)]
    return {
        prefix: (key.removeprefix(prefix), json[key]) for key in keys for prefix in _TYPED if key.startswith(prefix)
    }


def _type_ref(json: JsonObject, path: str, kind: str) -> TypeRef:
    return TypeRef(
        code=_type_code(json, path, kind),
        profiles=tuple(map(Canonical, profiles_of(json))),
        targets=tuple(json.get("targetProfile", ())),
        aggregation=tuple(json.get("aggregation", ())),
        regex=_extension(json, _REGEX),
    )


def profiles_of(type_: JsonObject) -> list[str]:
    """Returns the profiles of an `ElementDefinition.type`; one on an element within a profile is `url#element-id`."""
    urls: list[str] = list(type_.get("profile", ()))
    for index, beside in enumerate(type_.get("_profile", ())):
        id_ = _extension(beside or {}, _PROFILE_ELEMENT)
        if isinstance(id_, str) and index < len(urls):
            urls[index] = named_part(urls[index], id_)
    return urls


def _type_code(json: JsonObject, path: str, kind: str) -> str:
    # Published snapshots say that Patient.id is a string; the text of the specification says id.
    if kind == "resource" and _ROOT_ID.fullmatch(path):
        return "id"
    code: str = _extension(json, _FHIR_TYPE) or json["code"]
    return code.removeprefix(_SYSTEM_TYPE)


def _binding(json: JsonObject) -> Binding:
    return Binding(json["strength"], json.get("valueSet"), _extension(json, _MAX_VALUE_SET))


def _slicing(json: JsonObject) -> Slicing:
    discriminators = tuple((d["type"], d["path"]) for d in json.get("discriminator", ()))
    return Slicing(discriminators, json.get("ordered", False), json["rules"])
