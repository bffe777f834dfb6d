"""Definitions that arrive as JSON while the server runs, checked one by one: a broken one is left out and said.

See https://hl7.org/fhir/R4/conformance-module.html.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_server.definitions.findings import Findings
from fhir_server.definitions.library import DEFINING, Loaded
from fhir_server.fhir.shapes import JsonObject


def sound(
    resources: Sequence[JsonObject], source: str, findings: Findings, *, is_packaged: bool = False
) -> tuple[Loaded, ...]:
    """Returns those that have what their type needs to be found and read; what the others lack becomes a finding.

    `source` names the place they come from, for messages; each is told by its `Type/id` behind it. `is_packaged` takes
    them as a package of others.
    """
    return tuple(
        replace(one, is_packaged=is_packaged) for resource in resources for one in _sound(resource, source, findings)
    )


def _sound(resource: Any, source: str, findings: Findings) -> Iterator[Loaded]:
    if not isinstance(resource, dict):
        findings.add("definitions.member-missing", source or "-", "Resource.resourceType")
        return
    type_, file = resource.get("resourceType"), _file(resource, source)
    missing = [m for m in _needed(type_) if not isinstance(resource.get(m), str) or not resource[m]]
    missing += [
        m for m, is_shaped in _SHAPES.get(str(type_), {}).items() if m in resource and not is_shaped(resource[m])
    ]
    for member in missing:
        findings.add("definitions.member-missing", file, f"{type_ or 'Resource'}.{member}")
    if not missing:
        yield Loaded(resource, file, {}, is_foreign=True)


def _file(resource: JsonObject, source: str) -> str:
    own = "/".join(str(resource[m]) for m in ("resourceType", "id") if m in resource)
    return f"{source}: {own}" if source and own else source or own or "-"


def _needed(type_: Any) -> tuple[str, ...]:
    if type_ == "CodeSystem":
        return ("resourceType", "url", "content")
    return ("resourceType", "url") if type_ in DEFINING else ("resourceType",)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_compose(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_list_of_objects(value.get(part, [])) for part in ("include", "exclude"))


def _is_concepts(value: Any) -> bool:
    return _is_list_of_objects(value) and all(
        isinstance(one.get("code"), str) and _is_concepts(one.get("concept", [])) for one in value
    )


_SHAPES: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "ValueSet": {"compose": _is_compose},
    "CodeSystem": {"concept": _is_concepts},
}
"""What terminology relies on, where a server validates nothing."""
