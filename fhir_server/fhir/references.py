"""References between resources and the links of a transaction, https://hl7.org/fhir/R4/references.html."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import is_
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel

_PARTS = re.compile(
    r"(?P<base>https?://[^?#\s]+/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?"
)
_CONDITIONAL = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?(?P<query>.+)", re.DOTALL)
_LINK_TYPES = frozenset({"uri", "url", "oid", "uuid"})
_NARRATIVE_LINK = re.compile(r"""(\s(?:href|src)\s*=\s*)("([^"]*)"|'([^']*)')""")


AT = "\x1f"
"""Stands between a remote reference's `Type/id` and its base in a search key; no FHIR string may carry it."""


class ReferenceKind(StrEnum):
    """What a reference text points at."""

    LOCAL = "local"  # Type/id of this server, written relative or with its own base
    REMOTE = "remote"  # Type/id below another server's base
    URN = "urn"  # urn:uuid: or urn:oid:, resolved inside a Bundle
    CONTAINED = "contained"  # "#id"
    CONDITIONAL = "conditional"  # Type?query, allowed in transactions
    OTHER = "other"  # any other URL or text


@dataclass(frozen=True, slots=True)
class ParsedReference:
    """A reference text in parts; a part that its kind does not have is empty.

    `id` is a logical id, for CONTAINED what follows `#`; `base` ends without a slash; `query` is what follows `?`.
    """

    kind: ReferenceKind
    text: str
    type: str = ""
    id: str = ""
    version: str = ""
    base: str = ""
    query: str = ""

    @property
    def key(self) -> str:
        """What the reference is searched by: `Type/id` when local, `Type/id␟base` elsewhere, else its text.

        So everything that refers to a type starts with it, and versions do not count.
        """
        if self.kind is ReferenceKind.LOCAL:
            return f"{self.type}/{self.id}"
        if self.kind is ReferenceKind.REMOTE:
            return f"{self.type}/{self.id}{AT}{self.base}"
        return self.text


def parse_reference(text: str, base_url: str = "") -> ParsedReference:
    """Returns the parts of a `Reference.reference`; `base_url` is this server's own, with or without a last slash.

    Never fails: a text of no known form is of kind OTHER.
    """
    found = _PARTS.fullmatch(text)
    if found is not None:
        return _restful(text, found, base_url.rstrip("/"))
    if text.startswith("#"):
        return ParsedReference(ReferenceKind.CONTAINED, text, id=text[1:])
    if text.startswith(("urn:uuid:", "urn:oid:")):
        return ParsedReference(ReferenceKind.URN, text)
    conditional = _CONDITIONAL.fullmatch(text)
    if conditional is not None:
        return ParsedReference(ReferenceKind.CONDITIONAL, text, type=conditional["type"], query=conditional["query"])
    return ParsedReference(ReferenceKind.OTHER, text)


def search_key(text: str, base_url: str = "") -> str:
    """Returns `parse_reference(text, base_url).key`, at once for the relative references that most are."""
    if text.startswith("http") or "/_history/" in text:
        return parse_reference(text, base_url).key
    return text


def _restful(text: str, found: re.Match[str], own: str) -> ParsedReference:
    base = (found["base"] or "").rstrip("/")
    kind = ReferenceKind.LOCAL if base in ("", own) else ReferenceKind.REMOTE
    return ParsedReference(kind, text, found["type"], found["id"], found["version"] or "", base)


def rewrite_links(resource: JsonObject, links: Mapping[str, str], model: TypeModel) -> JsonObject:
    """Returns the resource with every link that is a key of `links` replaced by its value; what holds none is shared.

    Links are `Reference.reference`, values of type uri, url, oid and uuid, and `href`/`src` of narratives, as the
    transaction rules want; canonicals and plain strings stay. A fragment after the link (`urn:uuid:...#p1`) is kept.

    See https://hl7.org/fhir/R4/http.html#trules.
    """
    of = {key: value for key, value in resource.items() if _may_hold(value, links)}
    if not of:
        return resource
    rewritten = _Rewriter(links, model).of_object(of, str(resource.get("resourceType", "")))
    return resource if rewritten is of else resource | rewritten


def _may_hold(value: Any, links: Mapping[str, str]) -> bool:
    """Tells whether a text of this JSON value may be a link or hold some, whatever its type: nearly all do not."""
    kind = type(value)
    if kind is str:
        return value in links or "#" in value or "<" in value
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return False
    for child in value:
        kind = type(child)
        if kind is str:
            if child in links or "#" in child or "<" in child:
                return True
        elif (kind is dict or kind is list) and _may_hold(child, links):
            return True
    return False


def replace_references(value: Any, replace: Callable[[str], dict[str, str]]) -> Any:
    """Returns a copy of a JSON value in which every object with a `reference` also has what `replace` gives for its text."""
    if isinstance(value, list):
        return [replace_references(item, replace) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: replace_references(child, replace) for key, child in value.items()}
    text = copy.get("reference")
    return copy | replace(text) if isinstance(text, str) else copy


@dataclass(frozen=True, slots=True)
class _Rewriter:
    links: Mapping[str, str]
    model: TypeModel

    def of_object(self, value: JsonObject, type_: str) -> JsonObject:
        """Returns the object with the links of each property replaced; itself where there are none."""
        properties = self.model.properties.get(type_, {})
        links = self.links
        changed: JsonObject | None = None
        for key, child in value.items():
            kind = type(child)
            if kind is str:
                if child not in links and "#" not in child and key != "div":
                    continue  # most texts are no links, whatever their type
            elif kind is not dict and kind is not list:
                continue
            property_ = properties.get(key)
            if property_ is None:
                continue
            replaced = self.of_value(child, _property_type(type_, key, property_.type))
            if replaced is not child:
                changed = dict(value) if changed is None else changed
                changed[key] = replaced
        return value if changed is None else changed

    def of_value(self, value: Any, type_: str) -> Any:
        """Returns a value of a known type with its links replaced; lists item by item, itself where there are none."""
        if type(value) is dict:
            return self.of_object(value, str(value["resourceType"]) if "resourceType" in value else type_)
        if type(value) is list:
            items = [self.of_value(item, type_) for item in value]
            return value if all(map(is_, items, value)) else items
        if not isinstance(value, str):
            return value
        if type_ in _LINK_TYPES:
            return self.of_link(value)
        return _NARRATIVE_LINK.sub(self.of_attribute, value) if type_ == "xhtml" else value

    def of_link(self, link: str) -> str:
        """Returns what a link becomes, its fragment kept."""
        stem, mark, fragment = link.partition("#")
        return self.links.get(link) or (self.links[stem] + mark + fragment if stem in self.links else link)

    def of_attribute(self, found: re.Match[str]) -> str:
        """Returns a narrative's `href="..."` or `src="..."` with its link replaced."""
        quote = found[2][0]
        return f"{found[1]}{quote}{self.of_link(found[2][1:-1])}{quote}"


def _property_type(type_: str, key: str, declared: str) -> str:
    # Reference.reference is declared a string and is a link all the same.
    return "uri" if type_ == "Reference" and key == "reference" else declared


def local_key(text: str, base_url: str = "") -> tuple[str, str] | None:
    """Returns (type, id) of a reference to a resource of this server, or None for any other."""
    found = parse_reference(text, base_url)
    return (found.type, found.id) if found.kind is ReferenceKind.LOCAL else None
