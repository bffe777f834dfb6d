"""Text of source cells: trimmed, or normalised to half width (Unicode NFKC). https://www.unicode.org/reports/tr15/."""

import re
import unicodedata
from decimal import Decimal
from typing import Any

# Byte order marks of joined files and zero-width marks of word processors: nobody sees them, and ids would differ.
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))


_MARKS = frozenset("'’‘=")
_MARKED = re.compile(r"(?:['’‘]|=\")([0-9][^\"]*)\"?")


class BadText(ValueError):
    """A cell that cannot be read as its field's type: the catalogue key of the finding and its parameters."""

    def __init__(self, key: str, **params: Any) -> None:
        super().__init__(key)
        self.key, self.params = key, params


def folded(text: str) -> str:
    """Returns the text trimmed and normalised: full-width digits, letters and signs become half-width ones."""
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).strip()


def raw_text(value: Any) -> str:
    """Returns a JSON or CSV value as text: numbers as they are written, true and false as words, None as nothing.

    What marks a number as text for a spreadsheet (`'0123`, `="0123"`) is no part of it.
    """
    if isinstance(value, str):
        text = value.strip() if value.isascii() else value.translate(_INVISIBLE).strip()
        return _MARKED.sub(r"\1", text) if text[:1] in _MARKS else text
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


_TRUE = frozenset({"true", "1", "是", "y", "yes", "有", "t"})
_FALSE = frozenset({"false", "0", "否", "n", "no", "无", "f"})


def parse_boolean(text: str) -> bool:
    """Returns true for true, 1, 是, Y, 有, and false for their opposites, whatever the case.

    Raises:
        BadText: any other text.
    """
    word = folded(text).casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadText("mapping.not-boolean")
