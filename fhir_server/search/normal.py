"""The normal form of text that default string searches compare, https://hl7.org/fhir/R4/search.html#string."""

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=16384)
def normalise(text: str) -> str:
    """Returns the text without differences of width, case, combining marks and white space.

    `ＺＨＡＮＧ  José` becomes `zhang jose`; Chinese characters stay as they are. Normalising twice changes nothing.
    """
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = unicodedata.normalize("NFKC", "".join(c for c in apart if not unicodedata.combining(c)))
    return " ".join(text.casefold().split())
