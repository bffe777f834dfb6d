"""Text that was read in a wrong encoding before it came here: what it was meant to be. https://encoding.spec.whatwg.org/."""

import re

_LATIN = re.compile("[\u0080-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]{2,}")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_UTF8_CHINESE = re.compile(rb"(?:[\xe4-\xe9][\x80-\xbf]{2}){2}")


def may_be_garbled(text: str) -> bool:
    """Tells quickly whether any part of a text may be garbled; false for nearly every row that is not."""
    if text.isascii():
        return False
    return "\ufffd" in text or _LATIN.search(text) is not None or _UTF8_CHINESE.search(_gb18030(text)) is not None


def _gb18030(text: str) -> bytes:
    return text.encode("gb18030", "ignore")


def meant_text(text: str) -> str | None:
    """Returns what a garbled text says, or None when nothing shows that it is garbled.

    Known: GB18030 or UTF-8 read as Latin-1 or Windows-1252 (`ÕÅÈý`), and UTF-8 read as GB18030 (`寮犱笁`); whole runs
    of at least two Chinese characters only, so that a name such as Müller is none.
    """
    found = _LATIN.search(text)
    if found is not None:
        codec = "cp1252" if any(ord(c) > 0xFF for c in text) else "latin-1"
        return _decoded(text, codec, "utf-8") or _decoded(text, codec, "gb18030")
    return _decoded(text, "gb18030", "utf-8") if _UTF8_CHINESE.search(_gb18030(text)) else None


def _decoded(text: str, wrong: str, right: str) -> str | None:
    try:
        meant = text.encode(wrong).decode(right)
    except UnicodeError:
        return None
    return meant if len(_CHINESE.findall(meant)) >= 2 else None
