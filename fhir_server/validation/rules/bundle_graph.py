"""How the entries of a document or message refer to each other, https://hl7.org/fhir/R4/documents.html#content."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.validation.report import Findings, found, shown
from fhir_server.validation.rules.bundle import entries_of
from fhir_server.validation.rules.bundle_urls import ABSOLUTE, is_restful
from fhir_server.validation.rules.walk import Spot, placed, spots

URLS = frozenset({"uri", "url"})
NO_LINKS = frozenset({"system", "fullUrl"})
NO_LINK_PATHS = frozenset(
    {"Extension.url", "MessageHeader.source.endpoint", "MessageHeader.destination.endpoint", "Endpoint.address"}
)
"""URLs that name a code system, a definition or a network address, not a resource of the Bundle."""
NARRATIVE_LINK = "http://hl7.org/fhir/StructureDefinition/narrativeLink"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry: its place, its fullUrl (empty when missing), its resource."""

    index: int
    url: str
    resource: JsonObject

    @property
    def name(self) -> str:
        """`Type/id` of the resource; never equal to a reference when it has no id."""
        return f"{self.resource.get('resourceType')}/{self.resource.get('id', ' ')}"


@dataclass(frozen=True, slots=True)
class Link:
    """A reference or URL in an entry's resource: its text without fragment, the fragment, and where it stands."""

    text: str
    fragment: str
    spot: Spot


@dataclass(frozen=True, slots=True)
class Graph:
    """The entries of one Bundle and how references among them are resolved."""

    entries: Sequence[Entry]
    types: frozenset[str]
    by_url: dict[str, list[Entry]] = field(default_factory=dict)
    by_name: dict[str, list[Entry]] = field(default_factory=dict)

    def targets(self, text: str, source: Entry) -> Sequence[Entry]:
        """Returns the entries that a reference in `source` stands for: by fullUrl alone, as R4 wants."""
        if ABSOLUTE.fullmatch(text):
            return self.by_url.get(text, ())
        if not (is_restful(source.url, self.types) and source.url.endswith("/" + source.name)):
            return ()
        return self.by_url.get(source.url.removesuffix(source.name) + text, ())

    def fault(self, text: str, source: Entry) -> Findings | None:
        """Returns the finding that a reference leads to several entries, or misses one that it seems to mean."""
        matches = self.targets(text, source)
        if len(matches) > 1:
            return found("validation.reference-ambiguous", reference=shown(text))
        meant = () if matches or ABSOLUTE.fullmatch(text) else self.by_name.get(text, ())
        if not meant:
            return None
        urls = ", ".join(sorted(one.url or "-" for one in meant))
        return found("validation.reference-apparent", reference=shown(text), found=urls)


def build_graph(bundle: Mapping[str, Any], types: frozenset[str]) -> Graph:
    """Returns the graph of the entries that hold a resource."""
    graph = Graph([Entry(index, url or "", resource) for index, url, resource in entries_of(bundle)], types)
    for entry in graph.entries:
        meta = entry.resource.get("meta")
        version = meta.get("versionId") if isinstance(meta, dict) else None
        for table, key in ((graph.by_url, entry.url), (graph.by_name, entry.name)):
            for full in (key, f"{key}/_history/{version}" if version else ""):
                if full:
                    table.setdefault(full, []).append(entry)
    return graph


def links_of(entry: Entry, model: TypeModel) -> Iterator[Link]:
    """Yields every reference and URL in an entry's resource that may lead to another entry."""
    for spot in spots(entry.resource, model):
        text = None
        if spot.type == "Reference" and isinstance(spot.value, dict):
            text = spot.value.get("reference")
        elif spot.type in URLS and spot.name not in NO_LINKS and _path(spot) not in NO_LINK_PATHS:
            text = spot.value
        if isinstance(text, str) and not text.startswith("#"):
            stem, _, fragment = text.partition("#")
            yield Link(stem, fragment, spot)


def _path(spot: Spot) -> str:
    return f"{spot.owner.type if spot.owner else ''}.{spot.name}"


def fragment_faults(link: Link, target: Entry) -> Findings | None:
    """Returns the finding that the fragment of a link names nothing, or several things, in its target."""
    if not link.fragment:
        return None
    number = _named(target.resource, link.fragment)
    owner = link.spot.owner.value if link.spot.owner else None
    is_narrative_link = isinstance(owner, dict) and owner.get("url") == NARRATIVE_LINK
    if number == 1 or (number == 0 and not is_narrative_link):
        return None
    return placed(found("validation.link-fragment", fragment=shown(link.fragment), number=number), link.spot)


def _named(value: Any, name: str) -> int:
    """Returns how many elements have this id, those of the narrative included."""
    number, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            number += one.get("id") == name
            number += sum(_named_in_text(v, name) for v in one.values() if isinstance(v, str) and name in v)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return number


def _named_in_text(text: str, name: str) -> int:
    return text.count(f'id="{name}"') + text.count(f"id='{name}'") if "<" in text else 0
