"""A Questionnaire read for checking its answers, https://hl7.org/fhir/R4/questionnaire.html."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.site import Build, Scope

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
GROUPS = frozenset({"group", "question"})
"""Types of items that hold items and no answers; R4 calls `question` abstract."""


class Value(NamedTuple):
    """A value of a choice: its type as R4 spells it (`integer`, `Coding`), and the JSON value."""

    type: str
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A question, group or display. `texts` are its wording and the translations; `limits` the values of extensions by URL."""

    link_id: str
    type: str
    is_required: bool
    repeats: bool
    texts: frozenset[str]
    limits: Mapping[str, tuple[Value, ...]]
    source: JsonObject
    items: tuple["Item", ...]

    def limit(self, url: str) -> Any:
        """Returns the value of the first extension with this URL, or None."""
        values = self.limits.get(url)
        return values[0].value if values else None


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A Questionnaire: its items, all of them by linkId, the linkId of the item above each, and what holds its value sets."""

    items: tuple[Item, ...]
    by_link: Mapping[str, Item]
    above: Mapping[str, str]
    holder: JsonObject

    def around(self, link_id: str) -> Iterator[str]:
        """Yields the linkId itself and those of the items above it, innermost first, each once."""
        seen: set[str] = set()
        current: str | None = link_id
        while current is not None and current not in seen:  # a linkId that stands twice may close a circle
            seen.add(current)
            yield current
            current = self.above.get(current)


@dataclass(frozen=True, slots=True, eq=False)
class Answering:
    """One QuestionnaireResponse being held against its form. `is_finished`: what is missing is an error, not a warning.

    `answers` remembers those below an item, by the item's identity and the linkId of each.
    """

    form: Form
    response: JsonObject
    is_finished: bool
    scope: Scope
    build: Build
    answers: dict[int, dict[str, list[Value]]] = field(default_factory=dict)


Trail: TypeAlias = tuple[tuple[Item, JsonObject], ...]
"""The items around the one being checked, outermost first: as asked, and as answered."""


def read_form(questionnaire: JsonObject, holder: JsonObject) -> Form:
    """Returns the form of a Questionnaire; `holder` is itself, or the resource that contains it."""
    by_link: dict[str, Item] = {}
    above: dict[str, str] = {}
    items = tuple(_item(one, by_link, above) for _, one in objects(questionnaire, "item"))
    return Form(items, by_link, above, holder)


def _item(source: JsonObject, by_link: dict[str, Item], above: dict[str, str]) -> Item:
    items = tuple(_item(one, by_link, above) for _, one in objects(source, "item"))
    item = Item(
        text_of(source, "linkId"),
        text_of(source, "type"),
        source.get("required") is True,
        source.get("repeats") is True,
        _texts(source),
        values_by_url(source),
        source,
        items,
    )
    by_link.setdefault(item.link_id, item)
    for inner in items:
        above.setdefault(inner.link_id, item.link_id)
    return item


def _texts(source: JsonObject) -> frozenset[str]:
    beside = source.get("_text")
    found = {text_of(source, "text")}
    for _, extension in objects(beside if type(beside) is dict else {}, "extension"):
        if extension.get("url") == TRANSLATION:
            found.update(text_of(part, "valueString") for _, part in objects(extension, "extension"))
            found.update(text_of(part, "valueMarkdown") for _, part in objects(extension, "extension"))
    return frozenset(found - {""})


def values_by_url(owner: JsonObject) -> Mapping[str, tuple[Value, ...]]:
    """Returns the values of an object's extensions by their URLs."""
    found: dict[str, tuple[Value, ...]] = {}
    for _, extension in objects(owner, "extension"):
        url, value = text_of(extension, "url"), choice_of(extension, "value")
        if value is not None:
            found[url] = (*found.get(url, ()), value)
    return found


PRIMITIVES = {
    "Boolean": "boolean", "Code": "code", "Canonical": "canonical", "Date": "date", "DateTime": "dateTime",
    "Decimal": "decimal", "Integer": "integer", "String": "string", "Time": "time", "Uri": "uri",
}  # fmt: skip


def choice_of(owner: JsonObject, name: str) -> Value | None:
    """Returns the value of a choice (`value[x]` by its name `value`), or None when there is none."""
    for key, value in owner.items():
        suffix = key[len(name) :]
        if key.startswith(name) and suffix[:1].isupper():
            return Value(PRIMITIVES.get(suffix, suffix), value)
    return None
