"""`_text` and `_content`: words and phrases of a resource's narrative, or of all its text.

https://hl7.org/fhir/R4/search.html#content leaves the language to the server. Here `高血压 随访` asks for both, `"血压 偏高"`
for a phrase, `a OR b` and `a,b` for either. Each Chinese character is a word, and neighbours in a value a phrase: no dictionary.
"""

import html
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from fhir_server.errors import SearchValueInvalid
from fhir_server.search.han import HAN_RANGES
from fhir_server.search.normal import normal_form
from fhir_server.search.query import AllOf, AnyOf, Clause, ContentHas, Not
from fhir_server.search.values import any_of, modifier_refused, unescape

NARRATIVE = "_text"
WHOLE = "_content"
CODES = frozenset({NARRATIVE, WHOLE})

START = "\ue000"
"""A word of its own before each text, so that no phrase reaches from one text into the next."""

MOST_CHARACTERS = 200_000
"""Characters of a resource's narrative, and of its other text, that are searched: a book of 100 pages, and a bound of memory."""

MOST_LETTERS = 64
"""A longer run of letters and digits is several words: the index would cut it off."""

_WORD = re.compile(f"[{HAN_RANGES}{START}]|[^\\W_{HAN_RANGES}]{{1,{MOST_LETTERS}}}")
_TERM = re.compile(r'["“”「]([^"“”」]*)["“”」]|([^\s"“”「」]+)')
_INLINE = re.compile(
    r"<!--.*?-->|</?(?:a|abbr|b|big|cite|code|dfn|em|i|q|small|span|strong|sub|sup|tt)\b[^>]*>", re.DOTALL
)
_TAG = re.compile(r"<[^>]*>")
_NOT_TEXT = frozenset({"resourceType", "id", "meta", "system", "url", "reference", "data", "hash", "valueBase64Binary"})
"""Elements that say what something is or where it lies; what is left is what people read, codes included."""


class Content(NamedTuple):
    """The words of a resource, parted by one blank each: of its narrative, and of everything else."""

    narrative: str
    rest: str


def content_of(resource: Any) -> Content:
    """Returns the words of a resource; addresses (`https://...`, `urn:...`), references and binary data are left out."""
    narrative = resource.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else None
    rest = {name: value for name, value in resource.items() if value is not narrative}
    return Content(_words(_texts(div, "div")), _words(_texts(rest, "")))


def content_of_body(body: bytes) -> Content:
    """Returns the words of a resource's JSON."""
    return content_of(msgspec.json.decode(body))


def holds(test: ContentHas, content: Content) -> bool:
    """Tells whether every phrase occurs in the narrative or, unless that alone is asked, in the rest."""
    texts = [f" {text} " for text in (content[:1] if test.narrative else content)]
    return all(any(f" {phrase} " in text for text in texts) for phrase in test.phrases)


def holds_of(test: ContentHas, body: bytes | None) -> bool:
    """Tells whether the test holds of a resource's JSON; of none, never."""
    return bool(body) and holds(test, content_of_body(body or b""))


def parse(code: str, raw: str, modifier: str | None) -> Clause:
    """Returns the clause of a value of `_text` or `_content`.

    Raises:
        SearchValueInvalid: an alternative has no word, or `:missing` is neither true nor false.
        SearchParameterUnknown: any modifier but `:missing`.
    """
    if modifier == "missing":
        return _missing(code, raw)
    if modifier is not None:
        raise modifier_refused(code, modifier, frozenset())
    return any_of(code, raw, lambda part: _alternatives(code, unescape(part)))


def _missing(code: str, raw: str) -> Clause:
    if raw not in ("true", "false"):
        raise SearchValueInvalid.of("search.value-missing", code, name=f"{code}:missing", value=raw)
    present = ContentHas((START,), narrative=True) if code == NARRATIVE else AllOf(())
    return Not(present) if raw == "true" else present


def _alternatives(code: str, text: str) -> Clause:
    groups: list[list[str]] = [[]]
    for quoted, bare in _TERM.findall(text):
        if bare == "OR":
            groups.append([])
        else:
            groups[-1].append(_phrase(quoted or bare))
    found = [tuple(dict.fromkeys(phrase for phrase in group if phrase)) for group in groups]
    if not all(found):
        raise SearchValueInvalid.of("search.value-words", code, name=code, value=text)
    clauses = tuple(ContentHas(phrases, narrative=code == NARRATIVE) for phrases in found)
    return clauses[0] if len(clauses) == 1 else AnyOf(clauses)


def _phrase(text: str) -> str:
    return " ".join(word for word in _WORD.findall(normal_form(text)) if word != START)


def _words(texts: Iterator[str]) -> str:
    text = "".join(f"{START}{text}" for text in texts if not _is_address(text))
    return " ".join(_WORD.findall(normal_form(text[:MOST_CHARACTERS])))


def _is_address(text: str) -> bool:
    return "://" in text or text.startswith("urn:")


def _texts(value: Any, name: str) -> Iterator[str]:
    """Yields the texts below a value, in their order; without recursion, because resources may be deep."""
    waiting = [(name, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            yield from _paragraphs(value) if name == "div" else (value,)
        elif isinstance(value, dict):
            waiting += [(key, inner) for key, inner in reversed(value.items()) if key not in _NOT_TEXT]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in reversed(value)]


def _paragraphs(div: str) -> Iterator[str]:
    pieces = _TAG.split(_INLINE.sub("", div))
    return (html.unescape(piece) for piece in pieces if piece.strip())
