"""Search parameters that R4 does not define, from the loaded packages, https://hl7.org/fhir/R4/searchparameter.html.

Ours stand in `conformance/resources/<Type>/search/<code>.json`, one base a file, named by the folder.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

from fhir_server.definitions.findings import Findings, listed
from fhir_server.definitions.library import Library, Loaded
from fhir_server.definitions.search_parameters import build_parameter, published_for, restrict
from fhir_server.definitions.shapes import SearchParameter
from fhir_server.fhir.shapes import ResourceType
from fhir_server.fhirpath.model import r4_model

KINDS = frozenset({"number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"})
"""R4's kinds of search parameter, https://hl7.org/fhir/R4/valueset-search-param-type.html."""

_REQUIRED = ("code", "type", "base", "expression")


def own_parameters(library: Library, findings: Findings) -> Mapping[ResourceType, Mapping[str, SearchParameter]]:
    """Returns the parameters of the packages for each type, by code.

    What is wrong with one becomes a finding, also a code that R4 or another parameter of the type has already.
    """
    found: dict[ResourceType, dict[str, SearchParameter]] = {}
    for loaded in library.of_type("SearchParameter"):
        if _is_sound(loaded, findings):
            parameter = build_parameter(loaded.resource)
            for type_ in (t for base in parameter.bases for t in _concrete(base)):
                _add(found.setdefault(type_, {}), restrict(parameter, type_), loaded.source, findings)
    return found


def _concrete(base: ResourceType) -> list[ResourceType]:
    model = r4_model()
    return [ResourceType(t) for t in sorted(model.resources) if model.is_a(t, base)]


def _add(of_type: dict[str, SearchParameter], parameter: SearchParameter, source: str, findings: Findings) -> None:
    type_, code = parameter.bases[0], parameter.code
    first = of_type.setdefault(code, parameter)
    if {first.url, published_for(type_).get(code, parameter).url} != {parameter.url}:
        findings.add("definitions.code-taken", source, "SearchParameter.code", code=code, type=type_)


def _is_sound(loaded: Loaded, findings: Findings) -> bool:
    """Files what is wrong with a SearchParameter, and tells whether nothing is."""
    json, source, before = loaded.resource, loaded.source, len(findings.issues)
    for member in (m for m in _REQUIRED if not json.get(m)):
        findings.add("definitions.member-missing", source, f"SearchParameter.{member}")
    for member, value, valid in _invalid(loaded):
        path = f"SearchParameter.{member}"
        findings.add("definitions.member-invalid", source, path, value=value, valid=listed(valid))
    return len(findings.issues) == before


def _invalid(loaded: Loaded) -> Iterator[tuple[str, str, Collection[str]]]:
    json, file = loaded.resource, PurePosixPath(loaded.source)
    own = loaded.source.startswith("conformance/")
    types = {file.parts[2]} if own else {*r4_model().resources, "Resource", "DomainResource"}
    if json.get("type", "token") not in KINDS:
        yield "type", json["type"], KINDS
    yield from (("base", base, types) for base in json.get("base", ()) if base not in types)
