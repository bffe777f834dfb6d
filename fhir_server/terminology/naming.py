"""Displays and designations: which one a reader wants, and whether one is right, https://hl7.org/fhir/R4/codesystem.html#designations."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import Concept
from fhir_server.terminology.languages import fits, nearness


class Named(NamedTuple):
    """What is known of the names of a code: its concept, and what the value set itself says of it."""

    concept: Concept | None
    own: JsonObject | None
    language: str | None
    """The language of `concept.display`, where the code system tells it."""


def designations_of(named: Named) -> Sequence[JsonObject]:
    """Returns the designations as R4 writes them, the value set's own first, without repetitions."""
    own = named.own.get("designation", ()) if named.own else ()
    found = [*own, *(named.concept.designations if named.concept else ())]
    return [one for place, one in enumerate(found) if one not in found[:place]]


def others_of(named: Named, display: str | None) -> Sequence[JsonObject]:
    """Returns the designations beside a display: the usual display is among them where another one is shown."""
    usual, found = _usual(named), designations_of(named)
    if usual is None or usual == display or any(one["value"] == usual for one in found):
        return found
    return [{**({"language": named.language} if named.language else {}), "value": usual}, *found]


def display_of(named: Named, languages: Sequence[str] = ()) -> str | None:
    """Returns the display in the first of these languages that it is known in, else the usual one.

    Of several names in one language it is the one nearest to the wanted place or script: 高血壓 for zh-TW, if it is there.
    """
    usual = _usual(named)
    for language in languages:
        near = max(_spoken(named, usual), key=lambda one: nearness(one[0], language), default=None)
        if near is not None and fits(near[0], language):
            return near[1]
    return usual


def _usual(named: Named) -> str | None:
    return (named.own or {}).get("display") or (named.concept.display if named.concept else None)


def _spoken(named: Named, usual: str | None) -> list[tuple[str | None, str]]:
    """Returns the names with their languages; the usual one comes last, as English, where its language is not told."""
    others = [(one.get("language"), str(one["value"])) for one in designations_of(named)]
    if usual is None:
        return others
    return [*others, ("en", usual)] if named.language is None else [(named.language, usual), *others]


def names_of(named: Named) -> Iterator[str]:
    """Yields every display and designation."""
    for display in ((named.own or {}).get("display"), named.concept.display if named.concept else None):
        if display:
            yield display
    for one in designations_of(named):
        yield one["value"]


def folded(text: str) -> str:
    """Returns a text for comparison: width and case do not count, white space is one blank."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def is_name(display: str, named: Named) -> bool:
    """Tells whether a display is one of the names of a code; case and white space do not count."""
    wanted = folded(display)
    return any(folded(name) == wanted for name in names_of(named))


def matches(words: Sequence[str], code: str, named: Named) -> bool:
    """Tells whether each of these folded words is part of the code or of one of its names: `高血` finds 高血压."""
    texts = [folded(one) for one in (code, *names_of(named))]
    return all(any(word in text for text in texts) for word in words)
