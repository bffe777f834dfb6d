"""Which resource types this server supports, and how: `conformance/resources/<Type>/type.toml`.

See https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_server.data_files import data_folder
from fhir_server.definitions.findings import Findings, listed
from fhir_server.definitions.library import Library, Loaded
from fhir_server.definitions.search_parameters import build_parameter, published_for, restrict
from fhir_server.definitions.shapes import ResourceSupport, SearchParameter
from fhir_server.fhir.shapes import Canonical, ResourceType
from fhir_server.fhir.type_model import TypeModel

INTERACTIONS = frozenset(
    {"read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"}
)
"""R4's interactions on a type, https://hl7.org/fhir/R4/valueset-type-restful-interaction.html."""

KINDS = frozenset({"number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"})
"""R4's kinds of search parameter, https://hl7.org/fhir/R4/valueset-search-param-type.html."""

_MEMBERS = frozenset({"interactions", "profiles", "sort_date"})


@dataclass(frozen=True, slots=True)
class _Declared:
    """One `type.toml`, and the parameters of the type."""

    file: str
    members: Mapping[str, Any]
    search: Mapping[str, SearchParameter]


def read_resource_types(
    library: Library, known: Collection[str], base: str, *, model: TypeModel, findings: Findings
) -> Mapping[ResourceType, ResourceSupport]:
    """Returns the supported types in the order of their names.

    `known` are the canonical URLs of all profiles; `{B}` in a `type.toml` stands for `base`. What is wrong in a file
    becomes a finding.
    """
    own = _own_parameters(library, model, findings)
    found: dict[ResourceType, ResourceSupport] = {}
    folder = data_folder("conformance") / "resources"
    for file in sorted(inner / "type.toml" for inner in folder.iterdir() if inner.is_dir()):
        type_ = ResourceType(file.parent.name)
        name = file.relative_to(folder.parent.parent).as_posix()
        members = _read(file, name, findings)
        if type_ not in model.resources:
            findings.add("definitions.type-unknown", name, "the folder's name", type=type_)
        elif members is not None:
            declared = _Declared(name, members, {**published_for(type_, model), **own.get(type_, {})})
            found[type_] = _support(type_, declared, base)
            _check(found[type_], declared, known, findings)
    return found


def _read(file: Path, name: str, findings: Findings) -> Mapping[str, Any] | None:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        findings.add("definitions.toml-broken", name, "", reason=str(error))
        return None


def _support(type_: ResourceType, declared: _Declared, base: str) -> ResourceSupport:
    return ResourceSupport(
        type=type_,
        interactions=tuple(declared.members.get("interactions", ())),
        profiles=tuple(Canonical(url.replace("{B}", base)) for url in declared.members.get("profiles", ())),
        sort_date=declared.members.get("sort_date"),
        search=declared.search,
    )


def _check(support: ResourceSupport, declared: _Declared, known: Collection[str], findings: Findings) -> None:
    def refuse(member: str, values: Collection[str], valid: Collection[str]) -> None:
        for value in values:
            findings.add("definitions.member-invalid", declared.file, member, value=value, valid=listed(valid))

    dates = [code for code, parameter in declared.search.items() if parameter.kind == "date"]
    refuse("(top level)", declared.members.keys() - _MEMBERS, _MEMBERS)
    refuse("interactions", set(support.interactions) - INTERACTIONS, INTERACTIONS)
    refuse("sort_date", {support.sort_date or dates[0]} - set(dates), dates)
    for profile in support.profiles:
        if profile not in known:
            findings.add("definitions.canonical-unknown", declared.file, "profiles", url=profile)


def _own_parameters(
    library: Library, model: TypeModel, findings: Findings
) -> Mapping[ResourceType, Mapping[str, SearchParameter]]:
    found: dict[ResourceType, dict[str, SearchParameter]] = {}
    for loaded in library.of_type("SearchParameter"):
        if _is_sound(loaded, model, findings):
            parameter = build_parameter(loaded.resource)
            for type_ in (t for base in parameter.bases for t in _concrete(base, model)):
                taken = found.setdefault(type_, {}).setdefault(parameter.code, restrict(parameter, type_, model))
                published = published_for(type_, model).get(parameter.code)
                if parameter.url != taken.url or (published and parameter.url != published.url):
                    path = "SearchParameter.code"
                    findings.add("definitions.code-taken", loaded.source, path, code=parameter.code, type=type_)
    return found


def _concrete(base: ResourceType, model: TypeModel) -> list[ResourceType]:
    return [ResourceType(t) for t in sorted(model.resources) if model.is_a(t, base)]


def _is_sound(loaded: Loaded, model: TypeModel, findings: Findings) -> bool:
    """Files what is wrong with a SearchParameter, and tells whether nothing is."""
    json, before = loaded.resource, len(findings.issues)
    for member in (m for m in ("code", "type", "base", "expression") if not json.get(m)):
        findings.add("definitions.member-missing", loaded.source, f"SearchParameter.{member}")
    for base in json.get("base", ()):
        if not model.is_a(base, "Resource"):
            findings.add("definitions.type-unknown", loaded.source, "SearchParameter.base", type=base)
    if json.get("type", "token") not in KINDS:
        path, valid = "SearchParameter.type", listed(KINDS)
        findings.add("definitions.member-invalid", loaded.source, path, value=json["type"], valid=valid)
    folder = loaded.source.split("/")
    if folder[0] == "conformance" and json.get("base") != [folder[2]]:
        valid = f'["{folder[2]}"]'
        findings.add(
            "definitions.member-invalid", loaded.source, "SearchParameter.base", value=json.get("base"), valid=valid
        )
    return len(findings.issues) == before
