"""Documents and messages: what the first entry refers to is there, and every entry belongs to it.

See https://hl7.org/fhir/R4/documents.html#content and https://hl7.org/fhir/R4/messaging.html.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.references import parse_reference
from fhir_server.validation.report import Findings, Segment, at, found, joined, shown, warned
from fhir_server.validation.rules.bundle_graph import Entry, Graph, build_graph, fragment_faults, links_of
from fhir_server.validation.rules.bundle_urls import ABSOLUTE, is_restful
from fhir_server.validation.rules.objects import objects
from fhir_server.validation.rules.walk import placed
from fhir_server.validation.site import Build, Check, Scope

FIRST = {"document": "Composition", "message": "MessageHeader"}
DEFINITIONS = frozenset(
    {
        "ActivityDefinition", "CapabilityStatement", "ChargeItemDefinition", "CodeSystem", "CompartmentDefinition",
        "ConceptMap", "EventDefinition", "GraphDefinition", "ImplementationGuide", "Library", "Measure",
        "MessageDefinition", "NamingSystem", "OperationDefinition", "PlanDefinition", "Questionnaire",
        "SearchParameter", "StructureDefinition", "StructureMap", "TestScript", "ValueSet",
    }
)  # fmt: skip
"""Resources that are known by what they are, and need not travel with a document."""
ASKED = ("subject", "author", "encounter", "custodian")
Way = tuple[Segment, ...]


def build_document(build: Build) -> Check:
    """Returns the check of a document or a message: references from its first entry, and entries that nothing links."""
    definitions = build.definitions

    def check(value: Any, _: Scope) -> Findings | None:
        first = FIRST.get(str(value.get("type")))
        if first is None or "entry" not in value:
            return None
        graph = build_graph(value, definitions.model.resources)
        if not graph.entries or graph.entries[0].index:
            return at(found("validation.bundle-first", expected=first), 0, "entry")
        asked = _asked_faults(graph, graph.entries[0], definitions)
        return joined(asked, _linked_faults(value, graph, definitions))

    return check


def _asked_faults(graph: Graph, first: Entry, definitions: Definitions) -> Findings | None:
    result: Findings | None = None
    for way, text in _asked(first.resource):
        if text.startswith("#") or graph.targets(text, first) or graph.fault(text, first):
            continue
        if not _is_definition(text, definitions):
            fault = found("validation.document-reference", reference=shown(text))
            result = joined(result, at(fault, *way, "resource", first.index, "entry"))
    return result


def _is_definition(text: str, definitions: Definitions) -> bool:
    if is_restful(text, definitions.model.resources):
        return parse_reference(text).type in DEFINITIONS
    if not ABSOLUTE.fullmatch(text):
        return text.partition("/")[0] not in definitions.model.resources
    return definitions.structure(text) is not None or definitions.value_set(text) is not None


def _asked(resource: Mapping[str, Any]) -> Iterator[tuple[Way, str]]:
    """Yields what the first entry refers to and has to bring along: the way there (innermost first) and the text."""
    if resource.get("resourceType") == "MessageHeader":
        yield from _references(resource, "focus")
        return
    for name in ASKED:
        yield from _references(resource, name)
    for parts, name in (("attester", "party"), ("event", "detail")):
        for index, part in objects(resource, parts):
            yield from (((*way, index, parts), text) for way, text in _references(part, name))
    yield from _sections(resource)


def _sections(owner: Mapping[str, Any]) -> Iterator[tuple[Way, str]]:
    for index, section in objects(owner, "section"):
        for name in ("author", "focus", "entry"):
            yield from (((*way, index, "section"), text) for way, text in _references(section, name))
        yield from (((*way, index, "section"), text) for way, text in _sections(section))


def _references(owner: Mapping[str, Any], name: str) -> Iterator[tuple[Way, str]]:
    value = owner.get(name)
    if isinstance(value, dict) and isinstance(value.get("reference"), str):
        yield (name,), value["reference"]
    for index, one in objects(owner, name):
        if isinstance(one.get("reference"), str):
            yield (index, name), one["reference"]


def _linked_faults(bundle: Mapping[str, Any], graph: Graph, definitions: Definitions) -> Findings | None:
    result: Findings | None = None
    leads: dict[int, set[int]] = {}
    for entry in graph.entries:
        for link in links_of(entry, definitions.model):
            matches = graph.targets(link.text, entry)
            fault = graph.fault(link.text, entry)
            more = placed(fault, link.spot) if fault else fragment_faults(link, matches[0]) if matches else None
            result = joined(result, at(more, "resource", entry.index, "entry") if more else None)
            if len(matches) == 1:
                leads.setdefault(entry.index, set()).add(matches[0].index)
    return joined(result, _orphans(bundle, graph, leads))


def _orphans(bundle: Mapping[str, Any], graph: Graph, leads: Mapping[int, set[int]]) -> Findings | None:
    is_document = bundle.get("type") == "document"
    reached = _closure({graph.entries[0].index, *_stylesheets(bundle, graph)}, leads)
    result: Findings | None = None
    while backward := [e for e in graph.entries if e.index not in reached and reached & leads.get(e.index, set())]:
        reached = _closure(reached | {e.index for e in backward}, leads)
        for entry in backward if is_document else ():
            if entry.resource.get("resourceType") != "Provenance":
                result = joined(
                    result, at(warned("validation.entry-backward", url=shown(entry.url)), entry.index, "entry")
                )
    for entry in graph.entries:
        if entry.index not in reached:
            lost = found if is_document else warned
            result = joined(
                result, at(lost("validation.entry-unreachable", url=shown(entry.url)), entry.index, "entry")
            )
    return result


def _closure(start: set[int], leads: Mapping[int, set[int]]) -> set[int]:
    reached, waiting = set(start), list(start)
    while waiting:
        more = leads.get(waiting.pop(), set()) - reached
        reached |= more
        waiting.extend(more)
    return reached


def _stylesheets(bundle: Mapping[str, Any], graph: Graph) -> Iterator[int]:
    for _, link in objects(bundle, "link"):
        if link.get("relation") == "stylesheet":
            yield from (entry.index for entry in graph.by_name.get(str(link.get("url")), ()))
