"""Uri parameters: exact, `:below` and `:above`, https://hl7.org/fhir/R4/search.html#uri."""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.query import AnyOf, Clause, KeyIs, KeyStarts
from fhir_server.search.values import any_of, modifier_refused, unescape

MODIFIERS = frozenset({"above", "below"})


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a uri: the same text, a URL below it path by path, or one above it.

    Raises:
        SearchValueInvalid: an alternative is empty, or `:above`/`:below` is asked of something that is no URL.
        SearchParameterUnknown: a modifier that uris do not take.
    """
    if modifier not in _CLAUSES:
        raise modifier_refused(parameter.code, str(modifier), MODIFIERS)
    return any_of(parameter.code, raw, lambda part: _CLAUSES[modifier](parameter.code, unescape(part)))


def _below(code: str, text: str) -> Clause:
    stem = _url(code, text).rstrip("/")
    return AnyOf((KeyIs(code, stem), KeyStarts(code, f"{stem}/")))


def _above(code: str, text: str) -> Clause:
    scheme, _, path = _url(code, text).rstrip("/").partition("://")
    parts = path.split("/")
    stems = [f"{scheme}://" + "/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return AnyOf(tuple(KeyIs(code, stem + end) for stem in stems for end in ("", "/")))


def _url(code: str, text: str) -> str:
    if "://" not in text:
        raise SearchValueInvalid.of("search.value-url", code, name=code, value=text)
    return text


_CLAUSES: Mapping[str | None, Callable[[str, str], Clause]] = {None: KeyIs, "below": _below, "above": _above}


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files a uri as it stands, case and all; a canonical with a version also without it."""
    if not isinstance(value, str):
        return
    filing.keys.add(f"{code}={value}")
    url, mark, _ = value.partition("|")
    if mark and type_name == "canonical":
        filing.keys.add(f"{code}={url}")
