"""Code tables of the maps: option code -> codings or text. https://hl7.org/fhir/R4/conceptmap.html."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_server.mapping.record import Code
from fhir_server.mapping.yaml_files import BrokenMapping, only_keys, read_yaml, text_of

_CODING_KEYS = frozenset({"system", "code", "display", "version"})
Coding = dict[str, str]


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A table: codings and texts by option code, and what stands for a code that it does not have (usually nothing).

    `own_system` is the system of the source's own codes.
    """

    codings: Mapping[str, tuple[Coding, ...]]
    texts: Mapping[str, str]
    default: tuple[Coding, ...]
    default_text: str
    own_system: str

    def codings_of(self, value: Any) -> list[Coding]:
        """Returns the table's codings of a value, and the source's own one when its code differs or has no counterpart."""
        code, source, text = _parts(value)
        found = [dict(c) for c in self.codings.get(code or "", self.default)]
        if code is None or source != code:
            own = {"system": self.own_system, "code": source}
            found.append(own if text in {"", source} or code is not None else own | {"display": text})
        return found or [{"system": self.own_system, "code": source}]

    def text_of(self, value: Any) -> str | None:
        """Returns the text (or the code of the first coding) that the table has for a value, or its default, or None."""
        code = _parts(value)[0] or ""
        found = self.texts.get(code)
        if found is None and code in self.codings:
            found = self.codings[code][0]["code"]
        return found or self.default_text or None


def display_of(value: Any) -> str:
    """Returns how people read a coded or plain value."""
    return (value.text or value.source) if isinstance(value, Code) else str(value)


def _parts(value: Any) -> tuple[str | None, str, str]:
    if isinstance(value, Code):
        return value.code, value.source, value.text
    return str(value), str(value), ""


def read_table(path: Path) -> Mapping[str, Any]:
    """Reads a shared table, as it is written.

    Raises:
        BrokenMapping: the file is missing or not an object.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise BrokenMapping(f"{path.parent.name}/{path.name}", "", "an object of codes is expected")
    return raw


@dataclass(frozen=True, slots=True)
class TablePlace:
    """Where a table stands (file and place inside), and what fills its `{B}` and `{S}`."""

    file: str
    place: str
    base: str
    source: str

    def fill(self, text: str) -> str:
        """Returns the text with the canonical base and the source system's identifier base filled in."""
        return text.replace("{B}", self.base).replace("{S}", f"{self.base}/sid/{self.source}")


def build_table(raw: Mapping[str, Any], at: TablePlace, *, own_system: str) -> CodeTable:
    """Builds a table of what a file says; `own_system` is the system of the source's own codes.

    Raises:
        BrokenMapping: an entry is neither a text, a coding, nor a list of codings.
    """
    codings: dict[str, tuple[Coding, ...]] = {}
    texts: dict[str, str] = {}
    for code, entry in raw.items():
        if isinstance(entry, dict | list):
            listed = entry if isinstance(entry, list) else [entry]
            codings[code] = tuple(_coding(e, at, code) for e in listed)
        elif entry is not None:
            texts[code] = text_of(entry)
    default = codings.pop("default", ())
    default_text = texts.pop("default", default[0]["code"] if default else "")
    return CodeTable(codings, texts, default, default_text, own_system)


def _coding(raw: Any, at: TablePlace, code: str) -> Coding:
    place = f"{at.place}[{code}]"
    entry = only_keys(raw, _CODING_KEYS, file=at.file, place=place)
    if "code" not in entry:
        raise BrokenMapping(at.file, place, "a coding has a code")
    filled = {k: at.fill(text_of(v)) for k, v in entry.items()}
    return {key: filled[key] for key in ("system", "version", "code", "display") if key in filled}
