"""Where a discriminator's path leads within a value: the restricted FHIRPath of discriminators.

See https://hl7.org/fhir/R4/profiling.html#discriminator.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fhir_server.fhir.type_model import TypeModel
from fhir_server.validation.rules.resolution import resolve
from fhir_server.validation.site import Scope
from fhir_server.validation.sure import Source

Steps: TypeAlias = Sequence[tuple[str, str]]
"""(name, "") for an element, (function, argument) for `resolve()`, `ofType(T)` and `extension('url')`."""
Match: TypeAlias = Callable[[Any, Scope], bool]
"""Tells whether a value is what is looked for."""


Spell: TypeAlias = Callable[[str, Source], str]
"""Python that is true where the value in a variable matches."""

_SPELL, _TEXTS = "spell", "texts"
"""Attributes of a match that knows the Python that says the same, or that is no more than texts of properties."""


def spelling(match: Match, spell: Spell, texts: Mapping[str, str] | None = None) -> Match:
    """Returns the match, now with the Python that says the same; `texts` are the properties that say all of it."""
    setattr(match, _SPELL, spell)
    setattr(match, _TEXTS, texts)
    return match


def texts_of(match: Match) -> Mapping[str, str] | None:
    """Returns the texts that properties must have, where a match asks for no more, else None."""
    known: Mapping[str, str] | None = getattr(match, _TEXTS, None)
    return known


def spelled(match: Match, value: str, source: Source) -> str:
    """Returns Python that tells whether the value in a variable matches."""
    spell: Spell | None = getattr(match, _SPELL, None)
    return f"{source.constant(match)}({value}, s)" if spell is None else spell(value, source)


@dataclass(frozen=True, slots=True)
class TextIs:
    """The match of one text, which the step before it can see through."""

    text: str

    def __call__(self, value: Any, _: Scope) -> bool:
        """Tells whether the value is this text."""
        return bool(value == self.text)


_STEP = re.compile(
    r"(?P<call>resolve|ofType|extension)\((?P<argument>[^)]*)\)|(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\[x\])?"
)
_PART = re.compile(r"(?:[^.(]|\([^)]*\))+")


def parse_steps(path: str) -> Steps | None:
    """Returns a path as (name or function, argument) steps; `$this` is no step. None when it is no such path."""
    steps = []
    for part in _PART.findall(path.removeprefix("$this")):
        found = _STEP.fullmatch(part)
        if found is None:
            return None
        steps.append((found["call"] or found["name"], (found["argument"] or "").strip("'\"")))
    return steps


def type_at(type_: str, steps: Steps, model: TypeModel) -> str | None:
    """Returns the type at the end of a path that starts at `type_`; None after a choice or `resolve()`."""
    current: str | None = type_
    for name, argument in steps:
        current = _type_after(current, name, argument, model)
    return current


def _type_after(type_: str | None, name: str, argument: str, model: TypeModel) -> str | None:
    if name in ("ofType", "extension", "resolve"):
        return {"ofType": argument, "extension": "Extension"}.get(name)
    known = model.properties.get(type_ or "", {}).get(name)
    return known.type if known else None


def build_some(type_: str, steps: Steps, model: TypeModel, test: Match) -> Match:
    """Returns the function that tells whether any value at a path below a value of `type_` passes the test."""
    match = test
    for number in range(len(steps) - 1, -1, -1):
        name, argument = steps[number]
        match = _step(name, argument, type_at(type_, steps[:number], model), model, match)
    return match


def _step(name: str, argument: str, type_: str | None, model: TypeModel, inner: Match) -> Match:
    if name == "ofType":
        return inner  # the choice before it is tried by all its keys, the test tells the rest
    if name == "resolve":
        return _resolved(inner)
    if name == "extension":
        return _member("extension", lambda one, scope: _has_url(one, argument) and inner(one, scope))
    keys = model.choice_keys(type_ or "", name) or (name,)
    members = [_member(key, inner) for key in keys]
    if len(members) == 1:
        return members[0]
    return lambda value, scope: any(member(value, scope) for member in members)


def _member(key: str, inner: Match) -> Match:
    if isinstance(inner, TextIs):
        return _member_is(key, inner.text)

    def match(value: Any, scope: Scope) -> bool:
        found = value.get(key) if type(value) is dict else None
        if type(found) is list:
            for one in found:  # noqa: SIM110 -- any() would cost a generator for every item
                if inner(one, scope):
                    return True
            return False
        return found is not None and inner(found, scope)

    return match


def _member_is(key: str, text: str) -> Match:
    def match(value: Any, _: Scope) -> bool:
        found = value.get(key) if type(value) is dict else None
        return text in found if type(found) is list else bool(found == text)

    def spell(value: str, source: Source) -> str:
        item = source.variable("m")
        is_there = f"({item} := {value}.get({key!r})) == {text!r}"
        return f"type({value}) is dict and ({is_there} or type({item}) is list and {text!r} in {item})"

    return spelling(match, spell, {key: text})


def _has_url(value: Any, url: str) -> bool:
    return type(value) is dict and value.get("url") == url


def _resolved(inner: Match) -> Match:
    def match(value: Any, scope: Scope) -> bool:
        text = value.get("reference") if type(value) is dict else None
        target = resolve(text, scope) if isinstance(text, str) else None
        return target is not None and inner(target, scope)

    return match
