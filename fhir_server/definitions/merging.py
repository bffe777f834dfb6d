"""What a differential's element changes in the element that it constrains, https://hl7.org/fhir/R4/elementdefinition.html."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fhir_server.fhir.shapes import JsonObject

_PLACE = frozenset({"id", "path"})
_FROM_EXTENSION = ("short", "definition", "comment", "isModifier", "isModifierReason")


def merged(element: JsonObject, change: JsonObject, source: str) -> JsonObject:
    """Returns the element with a differential's changes; `source` is the profile that invariants are said to come from.

    Invariants, aliases, conditions, examples and mappings accumulate; a binding and a slicing keep what is not said
    anew; text that starts with `...` continues the text before; everything else is replaced.
    """
    changes = {k: v for k, v in change.items() if k not in _PLACE}
    if "constraint" in changes:
        changes["constraint"] = [{"source": source} | c if "source" not in c else c for c in changes["constraint"]]
    return element | {k: _JOIN[k](element[k], v) if k in _JOIN and k in element else v for k, v in changes.items()}


def with_extension(element: JsonObject, root: JsonObject) -> JsonObject:
    """Returns an element of type Extension as its only profile has it, whose first element is `root`."""
    taken = {k: root[k] for k in _FROM_EXTENSION if k in root}
    narrowed = {"max": root["max"]} if root.get("max") in ("0", "1") and element.get("max") != "0" else {}
    return element | taken | narrowed | {"constraint": root.get("constraint", element.get("constraint", []))}


def with_invariants(element: JsonObject, root: JsonObject) -> JsonObject:
    """Returns an element with the invariants of the only profile on its only type, whose first element is `root`."""
    return element | {"constraint": _constraints(element.get("constraint", ()), root.get("constraint", ()))}


def _added(have: Sequence[Any], more: Sequence[Any]) -> Sequence[Any]:
    return [*have, *(x for x in more if x not in have)]


def _constraints(have: Sequence[JsonObject], more: Sequence[JsonObject]) -> Sequence[JsonObject]:
    keys = {c.get("key") for c in have}
    return [*have, *(c for c in more if c.get("key") not in keys)]


def _members(have: JsonObject, more: JsonObject) -> JsonObject:
    return have | more


def _slicing(have: JsonObject, more: JsonObject) -> JsonObject:
    both = have | more
    joined = _added(have.get("discriminator", ()), more.get("discriminator", ()))
    return both | ({"discriminator": joined} if joined else {})


def _text(have: str, more: str) -> str:
    return f"{have}\n{more.removeprefix('...').lstrip()}" if more.startswith("...") else more


_JOIN: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "constraint": _constraints,
        "alias": _added,
        "condition": _added,
        "example": _added,
        "mapping": _added,
        "binding": _members,
        "slicing": _slicing,
        "definition": _text,
        "comment": _text,
        "requirements": _text,
    }
)
