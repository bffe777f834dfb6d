"""`map.yaml` -> a compiled plan: for each resource its condition, key and body. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fhir_server.mapping.assembly import Assembly, Make, made_later
from fhir_server.mapping.conditions import compile_condition
from fhir_server.mapping.directives import DIRECTIVES, in_line
from fhir_server.mapping.form import Form
from fhir_server.mapping.ids import namespace_of
from fhir_server.mapping.resource_plan import ResourcePlan
from fhir_server.mapping.tables import CodeTable, TablePlace, build_table, read_table
from fhir_server.mapping.template import Context, compile_template
from fhir_server.mapping.yaml_files import BrokenMapping, only_keys, read_yaml, text_of

_MAP_KEYS = frozenset({"form", "version", "note", "tables", "resources"})
_RESOURCE_KEYS = frozenset({"name", "type", "entity", "key", "when", "each", "identifier", "collect", "body", "note"})

_NO_LIST = """
AdverseEvent AuditEvent Binary Bundle CapabilityStatement CompartmentDefinition Composition ConceptMap
GraphDefinition ImplementationGuide Linkage MedicationKnowledge MedicinalProductContraindication
MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
MedicinalProductUndesirableEffect MessageHeader NamingSystem OperationDefinition OperationOutcome Parameters
Provenance QuestionnaireResponse SearchParameter SpecimenDefinition Subscription SubstanceNucleicAcid
SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification
TerminologyCapabilities TestReport TestScript VerificationResult
"""
WITHOUT_IDENTIFIER = frozenset(_NO_LIST.split())
"""R4 resource types that have no `identifier`, or a single one that the map must choose itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled map of one form for one source system; `used` are the record's fields that it reads.

    `fingerprint` changes when any file of the mapping does; `namespace` is what ids derive from; `meta_source` goes to
    every resource. `make` makes the resources of a record's values.
    """

    form: Form
    version: str
    base: str
    source: str
    fingerprint: str
    namespace: bytes
    meta_source: str
    resources: tuple[ResourcePlan, ...]
    used: frozenset[str]
    make: Make = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class MapFile:
    """A map as it is written, with the tables beside it, ready to be compiled for a source."""

    file: str
    form: Form
    raw: Mapping[str, Any]
    shared: Callable[[str], Mapping[str, Any]] = field(repr=False)


def read_map(path: Path, form: Form, *, tables: Path) -> MapFile:
    """Reads a `map.yaml`; shared tables lie in the folder `tables`.

    Raises:
        BrokenMapping: not a map of this form.
    """
    file = f"{path.parent.name}/{path.name}"
    raw = only_keys(read_yaml(path), _MAP_KEYS, file=file, place="")
    if raw.get("form") != form.name:
        raise BrokenMapping(file, "form", f"{form.name!r} is expected")
    return MapFile(file, form, raw, cache(lambda name: read_table(tables / f"{name}.yaml")))


def compile_plan(map_file: MapFile, *, base: str, source: str, fingerprint: str = "") -> Plan:
    """Returns the plan of a map for one source system; `base` is the canonical base `{B}`, `fingerprint` goes to Provenance.

    Raises:
        BrokenMapping: an unknown field, table, directive or resource, naming file and place.
    """
    entries = list(map_file.raw.get("resources") or ())
    names = _names(entries, map_file)
    context = Context(
        map_file.file,
        "resources",
        map_file.form,
        base,
        source,
        _table_finder(map_file),
        DIRECTIVES,
        names,
    )
    resources = tuple(_resource(e, context.at(f"[{n}]")) for n, e in enumerate(entries))
    used = frozenset[str]().union(*(_fields(r) for r in resources))
    version = text_of(map_file.raw.get("version"))
    namespace = namespace_of(base, source)
    meta_source = f"{base}/source/{source}"
    make = made_later(Assembly(resources, namespace, meta_source))
    return Plan(map_file.form, version, base, source, fingerprint, namespace, meta_source, resources, used, make)


def _names(entries: list[Any], map_file: MapFile) -> frozenset[str]:
    names = [text_of(e.get("name")) for e in entries if isinstance(e, dict)]
    twice = sorted({n for n in names if names.count(n) > 1} | ({"(unnamed)"} if "" in names else set()))
    if twice:
        raise BrokenMapping(map_file.file, "resources", f"names must be given and unique: {', '.join(twice)}")
    return frozenset(names)


def _table_finder(map_file: MapFile) -> Callable[[str, Context], CodeTable]:
    own = map_file.raw.get("tables") or {}

    @cache
    def find(name: str, base: str, source: str) -> CodeTable:
        raw = own[name] if name in own else map_file.shared(name)
        file = map_file.file if name in own else f"_shared/tables/{name}.yaml"
        return build_table(raw, TablePlace(file, name, base, source), own_system="")

    return lambda name, context: find(name, context.base, context.source)


def _resource(raw: Any, context: Context) -> ResourcePlan:
    entry = only_keys(raw, _RESOURCE_KEYS, file=context.file, place=context.place)
    for wanted in ("type", "entity", "key", "body"):
        if wanted not in entry or entry[wanted] == []:
            context.broken(f"{wanted} is missing")
    each = context.field(entry["each"]) if "each" in entry else None
    if each is not None and not each.field.repeats:
        context.broken(f"{each.path} does not repeat")
    inner = context if each is None else in_line(context, each)
    type_, entity = entry["type"], entry["entity"]
    wants_identifier = entry.get("identifier", True) and type_ not in WITHOUT_IDENTIFIER
    is_record_key = tuple(entry["key"]) == context.form.key
    return ResourcePlan(
        entry["name"],
        type_,
        entity,
        tuple(inner.field(k) for k in entry["key"]),
        tuple(context.field(k) for k in context.form.key_fallback) if context.form.key == _own(entry) else (),
        compile_condition(entry.get("when", []), inner.at("when")),
        each,
        compile_template(entry["body"], inner.at("body")),
        f"{context.source_base}/{entity}" if wants_identifier else "",
        tuple(entry.get("collect") or ()),
        is_record_key,
    )


def _own(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The part of a resource's key that is the record's: an `each` resource adds fields of its line."""
    return tuple(k for k in entry["key"] if not k.startswith("."))


def _fields(resource: ResourcePlan) -> frozenset[str]:
    found = resource.body.fields | resource.when.fields
    found |= {access.path for access in (*resource.key, *resource.fallback)}
    return found | ({resource.each.path} if resource.each else frozenset())
