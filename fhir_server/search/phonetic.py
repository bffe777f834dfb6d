"""`phonetic`: names by how they are read, Chinese ones in full pinyin or by initials.

https://hl7.org/fhir/R4/patient.html#search. 王小明 is found by `wangxiaoming`, `wang xiao ming`, `wangx`, `xiaoming`, `wxm`,
`wangxm` and by 王晓明; other names by their normal form without spaces, from any of their words on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product
from typing import Any, NamedTuple

from fhir_server.search.filing import Filing
from fhir_server.search.han import HAN_RANGES, has_han
from fhir_server.search.normal import normalise
from fhir_server.search.query import AnyOf, Clause, KeyStarts
from fhir_server.search.readings import readings_of, surname_length, surname_readings
from fhir_server.search.rows import TextRow

CODE = "phonetic"

MOST_READINGS = 8
"""Ways to read one name that are filed; further combinations of rare readings are left out."""

_NOT_SPELT = re.compile(r"[\W_]+")
_SOUNDS = re.compile(f"[{HAN_RANGES}]|[^\\W_{HAN_RANGES}]+")


class Form(NamedTuple):
    """What one name can be typed as; `first` is the most usual spelling, by which names are sorted."""

    first: str
    spellings: frozenset[str]


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files how a HumanName, or a string, is read: keys for every spelling, a text for the most usual one."""
    for name in _names(value) if type_name == "HumanName" else (value,):
        form = form_of(name) if isinstance(name, str) else None
        if form is not None:
            filing.keys.update(f"{code}={spelling}" for spelling in form.spellings)
            filing.texts[TextRow(code, form.first, name)] = None


def starts(code: str, wanted: str) -> Clause:
    """Returns the clause that a spelling starts with the normalised text; of Chinese text, with any way to read it."""
    if not has_han(wanted):
        return KeyStarts(code, spelling(wanted))
    found = dict.fromkeys("".join(way) for way in _readings(wanted))
    return AnyOf(tuple(KeyStarts(code, one) for one in found))


def spelling(text: str) -> str:
    """Returns a normalised text without what stands between syllables: `xi'an` and `xi an` are `xian`."""
    return _NOT_SPELT.sub("", text) or text


@lru_cache(maxsize=16384)
def form_of(name: str) -> Form | None:
    """Returns the spellings of one name, or None when nothing of it can be read aloud."""
    normal = normalise(name)
    if not has_han(normal):
        words = normal.split()
        tails = ("".join(words[at:]) for at in range(min(len(words), MOST_READINGS)))
        return Form(spelling(normal), frozenset(map(spelling, tails))) if words else None
    ways = _readings(normal)
    surname = surname_length(normal)
    return Form("".join(ways[0]), frozenset(one for way in ways for one in _spellings(way, surname)))


def _spellings(way: Sequence[str], surname: int) -> Iterator[str]:
    """Yields `wangxiaoming`, `xiaoming`, `wxm` and `wangxm`."""
    family, given = way[:surname], way[surname:]
    short = "".join(syllable[0] for syllable in given)
    yield "".join(way)
    yield "".join(syllable[0] for syllable in family) + short
    if given:
        yield "".join(given)
        yield "".join(family) + short


def _readings(normal: str) -> list[tuple[str, ...]]:
    """Returns the ways to read a name, the usual one first; a known surname at its start is read as one."""
    families = surname_readings(normal) or ((),)
    given = _SOUNDS.findall(normal)[len(families[0]) :]
    ways = (family + rest for family in families for rest in product(*map(readings_of, given)))
    return list(islice(ways, MOST_READINGS))


def _names(value: Any) -> Iterable[str]:
    """Returns a HumanName's text, and its family and given names as one name."""
    if not isinstance(value, Mapping):
        return ()
    given = value.get("given")
    parts = [value.get("family"), *(given if isinstance(given, list) else ())]
    parts = [part for part in parts if isinstance(part, str)]
    whole = "".join(parts) if has_han("".join(parts)) else " ".join(parts)
    return dict.fromkeys(name for name in (value.get("text"), whole) if isinstance(name, str) and name)
