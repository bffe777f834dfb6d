"""Chinese characters: which they are, and traditional forms as simplified ones, https://www.unicode.org/reports/tr38/."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

HAN_RANGES = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
"""Inside the brackets of a regular expression: the Han script, and the signs that repeat or replace its characters."""

_HAN = re.compile(f"[{HAN_RANGES}]")
_MARKS = "\\s.\u00b7\u0387\u16eb\u2022\u2027\u2219\u22c5\u25cf\u2e31\u30fb"
_BESIDE_HAN = re.compile(f"(?:(?<=[{HAN_RANGES}])[{_MARKS}]+|[{_MARKS}]+(?=[{HAN_RANGES}]))")


def has_han(text: str) -> bool:
    """Tells whether any character of the text is Chinese."""
    return _HAN.search(text) is not None


def simplified(text: str) -> str:
    """Returns the text with each traditional character as its simplified form (`張` becomes `张`), one for one."""
    forms = _simple_forms()
    return text if forms.keys().isdisjoint(map(ord, set(text))) else text.translate(forms)


def joined(text: str) -> str:
    """Returns the text without the spaces and dots that stand beside Chinese characters: 买买提·艾力 is 买买提艾力."""
    return _BESIDE_HAN.sub("", text)


@cache
def _simple_forms() -> Mapping[int, str]:
    lines = files("fhir_server.search").joinpath("simplified.txt").read_text("utf-8").splitlines()
    pairs = "".join(line for line in lines if not line.startswith("#"))
    return {ord(pairs[at]): pairs[at + 1] for at in range(0, len(pairs), 2)}
