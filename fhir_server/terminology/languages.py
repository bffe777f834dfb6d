"""Language tags: well formed, of registered subtags, https://www.rfc-editor.org/info/bcp47."""

import gzip
import re
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import takewhile
from typing import Any

import msgspec

from fhir_server.data_files import data_folder

_TAG = re.compile(
    r"""(?P<language>[a-z]{2,3}|[a-z]{5,8})(?P<extlang>-[a-z]{3})?(?:-(?P<script>[a-z]{4}))?
        (?:-(?P<region>[a-z]{2}|[0-9]{3}))?(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)
        (?P<extensions>(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*)(?:-x(?:-[a-z0-9]{1,8})+)?""",
    re.VERBOSE | re.IGNORECASE,
)
_PRIVATE = re.compile(r"x(-[a-z0-9]{1,8})+", re.IGNORECASE)
_MAX_TAG = 100
_TRADITIONAL = frozenset({"tw", "hk", "mo"})
"""Regions where Chinese is written in the traditional script, https://www.unicode.org/reports/tr35/#Likely_Subtags."""


@cache
def _registry() -> Mapping[str, Mapping[str, list[str]]]:
    """Returns IANA's registry by kind and lower-case subtag: the English name and, where known, the Chinese one."""
    file = data_folder("conformance") / "codes" / "subtags.json.gz"
    found: dict[str, Any] = msgspec.json.decode(gzip.decompress(file.read_bytes()))
    return {kind: {k.lower(): v for k, v in table.items()} for kind, table in found.items() if kind != "version"}


def is_tag(tag: str) -> bool:
    """Tells whether a text is a language tag of registered subtags, in any case: `zh-CN`, `zh-Hant-HK`, `x-ours`."""
    if len(tag) > _MAX_TAG:
        return False
    if _PRIVATE.fullmatch(tag) or tag.lower() in _registry()["grandfathered"]:
        return True
    found = _TAG.fullmatch(tag)
    return found is not None and all(_is_registered(kind, subtag) for kind, subtag in _subtags(found))


def _subtags(found: re.Match[str]) -> Iterable[tuple[str, str]]:
    for kind in ("language", "extlang", "script", "region"):
        if found[kind]:
            yield kind, found[kind].strip("-").lower()
    for variant in found["variants"].lower().split("-")[1:]:
        yield "variant", variant


def _is_registered(kind: str, subtag: str) -> bool:
    table = _registry()[kind]
    return subtag in table or any(
        low <= subtag <= high
        for low, _, high in (k.partition("..") for k in table if ".." in k)
        if len(low) == len(subtag)
    )


def name_of(tag: str, language: str | None = None) -> str | None:
    """Returns the name of a tag in English, or Chinese for a `language` of zh: `Chinese (China)`; None for no tag."""
    if not is_tag(tag):
        return None
    found = _TAG.fullmatch(tag)
    if found is None or tag.lower() in _registry()["grandfathered"]:
        return _name("grandfathered", tag.lower(), 0)
    place = 1 if is_chinese(language) else 0
    names = [_name(kind, subtag, place) for kind, subtag in _subtags(found)]
    return names[0] + (f" ({', '.join(names[1:])})" if names[1:] else "")


def _name(kind: str, subtag: str, place: int) -> str:
    names = _registry()[kind].get(subtag, [subtag])
    return names[min(place, len(names) - 1)]


def is_chinese(language: str | None) -> bool:
    """Tells whether a language is Chinese, of whatever place and script."""
    return (language or "").lower().partition("-")[0] == "zh"


def fits(offered: str | None, wanted: str) -> bool:
    """Tells whether a text in language `offered` serves a reader of `wanted`: both have the same primary language."""
    return nearness(offered, wanted) > 0


def nearness(offered: str | None, wanted: str) -> int:
    """Returns how many subtags two languages begin with in common: 1 of de and de-CH, 0 of en and zh.

    Chinese tags have their script in between, told or not: 2 of zh-TW and zh-Hant, 3 of zh-TW and zh-Hant-TW.
    """
    pairs = zip(_with_script(offered or ""), _with_script(wanted), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _with_script(tag: str) -> list[str]:
    language, *rest = tag.lower().split("-")
    if language != "zh" or any(len(subtag) == 4 for subtag in rest[:1]):
        return [language, *rest]
    return [language, "hant" if rest[:1] and rest[0] in _TRADITIONAL else "hans", *rest]


def preferences(header: str | None) -> tuple[str, ...]:
    """Returns the languages of a `displayLanguage` or `Accept-Language` text, most wanted first.

    `*` is left out, and what is not wanted at all (`q=0`).
    """
    weighted = []
    for place, item in enumerate((header or "").split(",")):
        tag, _, parameter = (part.strip() for part in item.partition(";"))
        weight = _weight(parameter.lower().removeprefix("q="))
        if tag and tag != "*" and weight:
            weighted.append((-weight, place, tag))
    return tuple(tag for _, _, tag in sorted(weighted))


def _weight(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.[0-9]{1,3})?", text) else 1.0
