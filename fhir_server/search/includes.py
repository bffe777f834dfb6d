"""`_include` and `_revinclude` values, https://hl7.org/fhir/R4/search.html#include."""

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.offered import find_offered, listed, references

ALL = "*"
NAMES = frozenset({"_include", "_revinclude"})
ITERATE = frozenset({"iterate", "recurse"})
"""The modifier, and what earlier versions called it."""


@dataclass(frozen=True, slots=True)
class Include:
    """What comes along with the matches.

    Forward: what `parameter` of the matches, of type `source`, points at. Reverse: resources of type `source` whose
    `parameter` points at a match. `target` restricts what is pointed at. `iterate` also starts from what was included.
    """

    source: ResourceType
    parameter: str
    target: ResourceType | None
    reverse: bool
    iterate: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """One pair of the query string, for a search of `type`."""

    name: str
    raw: str
    type: ResourceType
    context: SearchContext

    @property
    def reverse(self) -> bool:
        return self.name.startswith("_revinclude")

    @property
    def iterate(self) -> bool:
        return ":" in self.name

    def wrong(self, key: str, **params: object) -> SearchValueInvalid:
        return SearchValueInvalid.of(key, self.name, name=self.name, value=self.raw, **params)

    def unknown(self, key: str, **params: object) -> SearchParameterUnknown:
        return SearchParameterUnknown.of(key, self.name, name=self.name, value=self.raw, **params)


def parse_include(name: str, raw: str, type_: ResourceType, context: SearchContext) -> tuple[Include, ...]:
    """Returns the checked includes that a pair of a search of `type_` stands for; wildcards stand for several.

    `name` is `_include` or `_revinclude`, perhaps with `:iterate`. The value is `Type:parameter[:Target]`, `Type:*` or `*`.

    Raises:
        SearchParameterUnknown: a type or reference parameter that the server does not have, or another modifier.
        SearchValueInvalid: another form, or types that cannot meet.
    """
    asked = _Asked(name, raw, type_, context)
    modifier = name.partition(":")[2]
    if ":" in name and modifier not in ITERATE:
        raise asked.unknown("search.modifier-not-taken", modifier=modifier)
    parts = raw.split(":")
    if raw == ALL:
        return tuple(_everything(asked))
    if len(parts) not in (2, 3) or not all(parts):
        raise asked.wrong("search.include-malformed")
    support = context.definitions.resources.get(ResourceType(parts[0]))
    if support is None:
        raise asked.unknown("search.include-type", type=parts[0])
    target = ResourceType(parts[2]) if len(parts) == 3 else None
    if parts[1] == ALL:
        return tuple(_all_of(support, target, asked))
    parameter = _reference(asked, support, parts[1])
    _check(asked, support.type, parameter, target)
    return (Include(support.type, parameter.code, target, asked.reverse, asked.iterate),)


def _everything(asked: _Asked) -> Iterator[Include]:
    """Everything that the matches refer to, or everything that refers to them."""
    known = asked.context.definitions.resources
    for support in known.values() if asked.reverse or asked.iterate else [known[asked.type]]:
        yield from _all_of(support, None, asked)


def _all_of(support: ResourceSupport, target: ResourceType | None, asked: _Asked) -> Iterator[Include]:
    if not (asked.reverse or asked.iterate) and support.type != asked.type:
        raise asked.wrong("search.include-source", found=support.type, type=asked.type)
    for code, parameter in references(support).items():
        wanted = asked.type if asked.reverse and not asked.iterate else target
        if wanted is None or not parameter.targets or wanted in parameter.targets:
            yield Include(support.type, code, target, asked.reverse, asked.iterate)


def _reference(asked: _Asked, support: ResourceSupport, code: str) -> SearchParameter:
    parameter = find_offered(code, support)
    if parameter is not None and parameter.kind == "reference":
        return parameter
    raise asked.unknown("search.include-parameter", type=support.type, code=code, valid=listed(references(support)))


def _check(asked: _Asked, source: ResourceType, parameter: SearchParameter, target: ResourceType | None) -> None:
    meets = [] if asked.iterate else [asked.type]
    if not asked.reverse and source not in (meets or [source]):
        raise asked.wrong("search.include-source", found=source, type=asked.type)
    for wanted in [target, *meets] if asked.reverse else [target]:
        if wanted is not None and parameter.targets and wanted not in parameter.targets:
            raise asked.wrong(
                "search.include-target", type=wanted, code=parameter.code, valid=listed(parameter.targets)
            )
    if asked.reverse and meets and target not in (None, asked.type):
        raise asked.wrong("search.include-target", type=asked.type, code=parameter.code, valid=target)
