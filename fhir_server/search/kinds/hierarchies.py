"""`:below` and `:above` of references: resources that are part of each other, and versions of canonicals.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from collections.abc import Mapping

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.query import AnyOf, Clause, IdIs, KeyIs, KeyStarts, ReferredBy, RefersTo

MODIFIERS = frozenset({"above", "below"})
MOST_LEVELS = 8
"""Steps that are followed up or down: more than any organization of places, people and visits here has."""

Parents = Mapping[ResourceType, str]
"""The code of the parameter by which resources of a type say what they are part of."""


def known_parents(targets: tuple[ResourceType, ...], context: SearchContext) -> Parents:
    """Returns the target types whose resources are part of each other (`Location.partOf`)."""
    supported = context.definitions.resources
    found = {
        type_: code
        for type_ in targets or tuple(supported)
        for code, parameter in (supported[type_].search if type_ in supported else {}).items()
        if parameter.expression == f"{type_}.partOf" and type_ in parameter.targets
    }
    return dict(sorted(found.items()))


def clause_of(
    parameter: SearchParameter, text: str, modifier: str | None, parents: Parents, context: SearchContext
) -> Clause:
    """Returns the clause that a reference leads to this resource, or below (`:below`) or above it in its hierarchy.

    The value is an id, `Type/id`, this server's URL of it, or a canonical with a version.

    Raises:
        SearchParameterUnknown: what the parameter refers to has no hierarchy.
        SearchValueInvalid: an id that may be of several types, or of one without hierarchy.
    """
    code = parameter.code
    local = local_key(text, context.base_url)
    if local is None and "://" in text:
        return _versions_below(code, text) if modifier == "below" else _versions_above(code, text)
    if not parents:
        raise SearchParameterUnknown.of("search.reference-hierarchy", code, name=code, valid=_valid(context))
    type_, id_ = local or (next(iter(parents)) if len(parents) == 1 else "", text)
    if type_ not in parents:
        raise SearchValueInvalid.of("search.value-reference", code, name=code, value=text)
    target = ResourceType(type_)
    related = _below(target, parents[target], id_) if modifier == "below" else _above(target, parents[target], id_)
    return AnyOf((KeyIs(code, f"{target}/{id_}"), RefersTo(code, target, (related,))))


def _below(type_: ResourceType, parent: str, id_: str) -> Clause:
    clause: Clause = IdIs((id_,))
    for _ in range(MOST_LEVELS):
        clause = AnyOf((IdIs((id_,)), RefersTo(parent, type_, (clause,))))
    return clause


def _above(type_: ResourceType, parent: str, id_: str) -> Clause:
    clause: Clause = IdIs((id_,))
    for _ in range(MOST_LEVELS):
        clause = AnyOf((IdIs((id_,)), ReferredBy(type_, parent, (clause,))))
    return clause


def _versions_below(code: str, text: str) -> Clause:
    """`url|2.1` is above `url|2.1.3`; a url without version is above all of its versions."""
    return AnyOf((KeyIs(code, text), KeyStarts(code, f"{text}{'.' if '|' in text else '|'}")))


def _versions_above(code: str, text: str) -> Clause:
    url, bar, version = text.partition("|")
    parts = version.split(".")
    stems = [".".join(parts[:n]) for n in range(1, len(parts) + 1)] if bar else []
    return AnyOf(tuple(KeyIs(code, f"{url}|{stem}") for stem in stems) or (KeyIs(code, text),))


def _valid(context: SearchContext) -> str:
    return ", ".join(known_parents((), context))
