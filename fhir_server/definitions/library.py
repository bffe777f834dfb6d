"""The definitions of all packages, ours and others', https://hl7.org/fhir/R4/references.html#canonical.

Ours are `profiles/<package>/definitions/*.json` and `conformance/resources/<Type>/search/<code>.json`; for those of
others see `fhir_packages.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fhir_server.definitions.fhir_packages import read_packages
from fhir_server.definitions.findings import Findings
from fhir_server.errors import BadStructure
from fhir_server.fhir import json_codec
from fhir_server.fhir.shapes import JsonObject

DEFAULT_BASE = "http://jtys.example/fhir"
"""The canonical base that our packages are written with."""

DEFINING = frozenset({"StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "SearchParameter"})
"""The types that are compiled; each of them needs a canonical URL."""

_NO_SENTENCES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DefinitionFile:
    """A file as it lies in its package: its name for messages, its bytes, the package's Chinese sentences by key."""

    name: str
    content: bytes
    sentences: Mapping[str, str]
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A definition as it stands in its file. `is_foreign`: it is not ours; `is_packaged`: it is from a package of others."""

    resource: JsonObject
    source: str
    sentences: Mapping[str, str]
    is_foreign: bool = False
    is_packaged: bool = False


@dataclass(frozen=True, slots=True)
class Library:
    """Everything that the packages hold, by (type, canonical URL) and by (type, id)."""

    by_url: Mapping[tuple[str, str], Loaded]
    by_id: Mapping[tuple[str, str], Loaded]
    by_version: Mapping[tuple[str, str], Loaded] = field(default_factory=dict)

    def find(self, type_: str, canonical: str) -> Loaded | None:
        """Returns what `url|version` names, or else what the URL alone or a relative `Type/id` does, or None."""
        url = canonical.partition("|")[0]
        exact = self.by_version.get((type_, canonical)) or self.by_url.get((type_, url))
        return exact or (self.by_id.get((type_, url.removeprefix(f"{type_}/"))) if "/" in url else None)

    def extended(self, entries: Sequence[Loaded]) -> "Library":
        """Returns a library that also holds these; of two with one URL, or with one id, the later counts."""
        by_url, by_id, by_version = dict(self.by_url), dict(self.by_id), dict(self.by_version)
        for entry in entries:
            _put(by_id, entry, entry.resource.get("id"))
            _put(by_url, entry, entry.resource.get("url"))
            _put(by_version, entry, _versioned(entry.resource))
        return Library(by_url, by_id, by_version)

    def of_type(self, type_: str) -> tuple[Loaded, ...]:
        """Returns the definitions of a type in the order of their URLs."""
        return tuple(self.by_url[key] for key in sorted(self.by_url) if key[0] == type_)


def _put(table: dict[tuple[str, str], Loaded], entry: Loaded, name: Any) -> None:
    if isinstance(name, str):
        table[entry.resource["resourceType"], name] = entry


def _versioned(resource: JsonObject) -> str | None:
    return f"{resource['url']}|{resource['version']}" if {"url", "version"} <= resource.keys() else None


@dataclass(frozen=True, slots=True)
class Places:
    """Where packages lie: our `profiles` and `conformance` folders, and the FHIR packages of others."""

    profiles: Path
    conformance: Path
    packages: Sequence[Path] = ()


def read_library(places: Places, base: str, findings: Findings) -> Library:
    """Returns our packages and the others; what cannot be read or stands twice becomes a finding.

    In our packages `DEFAULT_BASE` is replaced by `base`, textually. Where packages of others define what another has
    defined before, the first counts, ours before all; ids need not be unique among packages.
    """
    first: dict[tuple[str, str], Loaded] = {}
    loaded = (_load(file, findings) for file in _files(places, base, findings))
    entries = [one for one in loaded if one is not None and _is_news(first, one, findings)]
    return Library({}, {}).extended(entries[::-1])  # of two the later counts there


def _is_news(first: dict[tuple[str, str], Loaded], loaded: Loaded, findings: Findings) -> bool:
    if "url" not in loaded.resource:
        return True
    type_, url = loaded.resource["resourceType"], loaded.resource["url"]
    before = first.setdefault((type_, url), loaded)
    if before is loaded or before.resource == loaded.resource:
        return before is loaded
    tell = findings.note if loaded.is_foreign else findings.add
    tell("definitions.duplicate", loaded.source, f"{type_}.url", value=url, first=before.source)
    return _versioned(before.resource) != _versioned(loaded.resource)


def _load(file: DefinitionFile, findings: Findings) -> Loaded | None:
    try:
        resource = json_codec.decode(file.content)
    except BadStructure as error:
        findings.add("definitions.json-broken", file.name, "", reason=str(error))
        return None
    type_ = resource.get("resourceType")
    required = ("resourceType", "url", "id") if type_ in DEFINING or not type_ else ()
    for member in (m for m in required if not isinstance(resource.get(m), str)):
        findings.add("definitions.member-missing", file.name, f"{type_ or 'Resource'}.{member}")
        return None
    if file.is_foreign and "url" not in resource:
        return None  # an example among the definitions
    return Loaded(resource, file.name, file.sentences, is_foreign=file.is_foreign, is_packaged=file.is_foreign)


def _files(places: Places, base: str, findings: Findings) -> Iterator[DefinitionFile]:
    for folder in sorted(p for p in places.profiles.iterdir() if p.is_dir()):
        sentences = _read_sentences(folder / "messages.zh.json", places.profiles.parent, findings)
        for file in sorted((folder / "definitions").glob("*.json")):
            yield DefinitionFile(_name(file, places.profiles.parent), _rebased(file, base), sentences)
    for file in sorted(places.conformance.glob("resources/*/search/*.json")):
        if not file.name.endswith(".cases.json"):
            yield DefinitionFile(_name(file, places.conformance.parent), _rebased(file, base), _NO_SENTENCES)
    for package in read_packages(places.packages, findings):
        for name, content in package.files.items():
            yield DefinitionFile(package.place(name), content, _NO_SENTENCES, is_foreign=True)


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _rebased(file: Path, base: str) -> bytes:
    content = file.read_bytes()
    return content if base == DEFAULT_BASE else content.replace(DEFAULT_BASE.encode(), base.encode())


def _read_sentences(file: Path, root: Path, findings: Findings) -> Mapping[str, str]:
    if not file.exists():
        return _NO_SENTENCES
    try:
        return json_codec.decode(file.read_bytes())
    except BadStructure as error:
        findings.add("definitions.json-broken", _name(file, root), "", reason=str(error))
        return _NO_SENTENCES
