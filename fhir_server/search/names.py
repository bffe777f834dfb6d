"""The names of search parameters, taken apart, https://hl7.org/fhir/R4/search.html#chaining."""

import re
from dataclasses import dataclass
from typing import TypeAlias

from fhir_server.errors import SearchParameterUnknown

MOST_HOPS = 16
"""Resources that one name may lead through."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PLAIN = re.compile(r"(?P<code>_?[A-Za-z][A-Za-z0-9_-]*)(?::(?P<modifier>[A-Za-z-]+))?")


@dataclass(frozen=True, slots=True)
class PlainName:
    """`code` or `code:modifier`."""

    code: str
    modifier: str | None = None


@dataclass(frozen=True, slots=True)
class ChainName:
    """`code.rest` or `code:Target.rest`: the rest is asked of what the reference points at."""

    code: str
    target: str | None
    rest: "NamePart"


@dataclass(frozen=True, slots=True)
class HasName:
    """`_has:source:reference:rest`: the rest is asked of resources of type `source` that point here."""

    source: str
    reference: str
    rest: "NamePart"


NamePart: TypeAlias = PlainName | ChainName | HasName


def is_code(text: str) -> bool:
    """Tells whether a new parameter may be called so: it could be asked for, and is none of R4's special names."""
    return _CODE.fullmatch(text) is not None


def parse_name(name: str) -> NamePart:
    """Returns the structure of a parameter name.

    Raises:
        SearchParameterUnknown: none of the three forms.
    """
    if name.count(".") + name.count("_has:") > MOST_HOPS:
        raise SearchParameterUnknown.of("search.chain-too-long", name[:80], most=MOST_HOPS)
    if name.startswith("_has:"):
        return _parse_has(name)
    head, dot, rest = name.partition(".")
    found = _PLAIN.fullmatch(head)
    if found is None or (dot and not rest):
        raise _malformed(name)
    if dot:
        return ChainName(found["code"], found["modifier"], parse_name(rest))
    return PlainName(found["code"], found["modifier"])


def _parse_has(name: str) -> HasName:
    parts = name.split(":", 3)
    if len(parts) != 4 or not all(parts):
        raise _malformed(name)
    return HasName(parts[1], parts[2], parse_name(parts[3]))


def _malformed(name: str) -> SearchParameterUnknown:
    return SearchParameterUnknown.of("search.name-malformed", name, name=name)
