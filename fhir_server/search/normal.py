"""The normal form of text that default string searches compare, https://hl7.org/fhir/R4/search.html#string."""

import unicodedata
from functools import lru_cache

from fhir_server.search.han import has_han, joined, simplified


@lru_cache(maxsize=16384)
def normalise(text: str) -> str:
    """Returns the text without differences of width, case, combining marks, white space and Chinese script.

    `ＺＨＡＮＧ  José` becomes `zhang jose`, `張 三` becomes `张三`, `买买提·艾力` becomes `买买提艾力`. Normalising twice
    changes nothing.
    """
    return normal_form(text)


def normal_form(text: str) -> str:
    """Returns what `normalise` does and remembers nothing: for texts of any length."""
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = unicodedata.normalize("NFKC", _without_marks(apart))
        if has_han(text):
            text = joined(simplified(text))
    return " ".join(text.casefold().split())


def _without_marks(text: str) -> str:
    marks = [sign for sign in set(text) if unicodedata.combining(sign)]
    return text.translate(dict.fromkeys(map(ord, marks))) if marks else text
