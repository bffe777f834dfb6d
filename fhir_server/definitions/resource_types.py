"""Which resource types this server supports, and how: `conformance/resources/<Type>/type.toml`.

See https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_server.definitions import facts
from fhir_server.definitions.findings import Findings, listed
from fhir_server.definitions.library import Library
from fhir_server.definitions.own_parameters import own_parameters
from fhir_server.definitions.search_parameters import published_for
from fhir_server.definitions.shapes import ResourceSupport, SearchParameter
from fhir_server.fhir.shapes import Canonical, ResourceType
from fhir_server.fhirpath.model import r4_model

INTERACTIONS = frozenset(
    {"read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"}
)
"""R4's interactions on a type, https://hl7.org/fhir/R4/valueset-type-restful-interaction.html."""

_MEMBERS = frozenset({"interactions", "profiles", "sort_date"})


@dataclass(frozen=True, slots=True)
class _Declared:
    """One `type.toml`: its name for messages, and its members."""

    file: str
    members: Mapping[str, Any]


def read_resource_types(
    conformance: Path, library: Library, base: str, findings: Findings
) -> Mapping[ResourceType, ResourceSupport]:
    """Returns the supported types in the order of their names: every folder of `resources` in `conformance`.

    `{B}` in a `type.toml` stands for `base`. What is wrong in a file becomes a finding.
    """
    own = own_parameters(library, findings)
    found: dict[ResourceType, ResourceSupport] = {}
    for folder in sorted(p for p in (conformance / "resources").iterdir() if p.is_dir()):
        type_, declared = ResourceType(folder.name), _read(folder / "type.toml", findings)
        if type_ not in r4_model().resources:
            findings.add("definitions.type-unknown", f"resources/{type_}", "the folder's name", type=type_)
        elif declared is not None:
            found[type_] = _support(type_, declared, {**published_for(type_), **own.get(type_, {})}, base)
            _check(found[type_], declared, library, findings)
    return found


def _read(file: Path, findings: Findings) -> _Declared | None:
    name = file.relative_to(file.parents[3]).as_posix()
    try:
        return _Declared(name, tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        findings.add("definitions.toml-broken", name, "", reason=str(error))
        return None


def _support(
    type_: ResourceType, declared: _Declared, search: Mapping[str, SearchParameter], base: str
) -> ResourceSupport:
    return ResourceSupport(
        type=type_,
        interactions=tuple(declared.members.get("interactions", ())),
        profiles=tuple(Canonical(url.replace("{B}", base)) for url in declared.members.get("profiles", ())),
        sort_date=declared.members.get("sort_date"),
        search=search,
    )


def _check(support: ResourceSupport, declared: _Declared, library: Library, findings: Findings) -> None:
    """Files what a `type.toml` says and R4, the search parameters or the packages do not know."""
    dates = [code for code, parameter in support.search.items() if parameter.kind == "date"]
    sorts = () if support.sort_date is None else (support.sort_date,)
    said: tuple[tuple[str, Collection[str], Collection[str]], ...] = (
        ("(top level)", declared.members, _MEMBERS),
        ("interactions", support.interactions, INTERACTIONS),
        ("sort_date", sorts, dates),
    )
    for member, values, valid in said:
        for value in sorted(set(values) - set(valid)):
            findings.add("definitions.member-invalid", declared.file, member, value=value, valid=listed(valid))
    if not support.interactions:
        findings.add("definitions.member-missing", declared.file, "interactions")
    for profile in support.profiles:
        if ("StructureDefinition", profile) not in library.by_url and not facts.is_structure(profile):
            findings.add("definitions.canonical-unknown", declared.file, "profiles", url=profile)
