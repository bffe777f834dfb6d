"""Reads the JSON files of packages, ours and others', https://confluence.hl7.org/display/FHIR/NPM+Package+Specification.

Ours are `profiles/<package>/definitions/*.json` and `conformance/resources/<Type>/search/<code>.json`; others are a
FHIR package as a folder or `.tgz`.
"""

import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fhir_server.definitions.findings import Findings
from fhir_server.errors import BadStructure
from fhir_server.fhir import json_codec
from fhir_server.fhir.shapes import JsonObject

DEFAULT_BASE = "http://jtys.example/fhir"
"""The canonical base that our packages are written with."""

DEFINING = frozenset({"StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "SearchParameter"})
"""The types that are compiled; each of them needs a canonical URL."""

_NO_SENTENCES: Mapping[str, str] = MappingProxyType({})
_IN_PACKAGE = re.compile(r"package/([^/]+\.json)")
_NOT_RESOURCES = frozenset({"package.json", ".index.json"})


@dataclass(frozen=True, slots=True)
class DefinitionFile:
    """A file as it lies in its package: its name for messages, its bytes, the package's Chinese sentences by key."""

    name: str
    content: bytes
    sentences: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A definition as it stands in its file."""

    resource: JsonObject
    source: str
    sentences: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Library:
    """Everything that the packages hold, by (type, canonical URL) and by (type, id)."""

    by_url: Mapping[tuple[str, str], Loaded]
    by_id: Mapping[tuple[str, str], Loaded]

    def of_type(self, type_: str) -> tuple[Loaded, ...]:
        """Returns the definitions of a type in the order of their URLs."""
        return tuple(self.by_url[key] for key in sorted(self.by_url) if key[0] == type_)


@dataclass(frozen=True, slots=True)
class Places:
    """Where packages lie: our `profiles` and `conformance` folders, and the FHIR packages of others."""

    profiles: Path
    conformance: Path
    packages: Sequence[Path] = ()


def read_library(places: Places, base: str, findings: Findings) -> Library:
    """Returns our packages and the others; what cannot be read or stands twice becomes a finding.

    In our packages `DEFAULT_BASE` is replaced by `base`, textually. Ids need not be unique among packages: ours win.
    """
    by_url: dict[tuple[str, str], Loaded] = {}
    by_id: dict[tuple[str, str], Loaded] = {}
    for file in _files(places, base, findings):
        loaded = _load(file, findings)
        if loaded is not None:
            _file_by_url(by_url, loaded, findings)
            by_id.setdefault((loaded.resource["resourceType"], loaded.resource.get("id", "")), loaded)
    return Library(by_url, by_id)


def _file_by_url(by_url: dict[tuple[str, str], Loaded], loaded: Loaded, findings: Findings) -> None:
    if "url" not in loaded.resource:
        return
    type_, url = loaded.resource["resourceType"], loaded.resource["url"]
    first = by_url.setdefault((type_, url), loaded)
    if first is not loaded:
        findings.add("definitions.duplicate", loaded.source, f"{type_}.url", value=url, first=first.source)


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
    return Loaded(resource, file.name, file.sentences)


def _files(places: Places, base: str, findings: Findings) -> Iterator[DefinitionFile]:
    for folder in sorted(p for p in places.profiles.iterdir() if p.is_dir()):
        sentences = _read_sentences(folder / "messages.zh.json", places.profiles.parent, findings)
        for file in sorted((folder / "definitions").glob("*.json")):
            yield DefinitionFile(_name(file, places.profiles.parent), _rebased(file, base), sentences)
    for file in sorted(places.conformance.glob("resources/*/search/*.json")):
        if not file.name.endswith(".cases.json"):
            yield DefinitionFile(_name(file, places.conformance.parent), _rebased(file, base), _NO_SENTENCES)
    for package in places.packages:
        yield from _package_files(package, findings)


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


def _package_files(package: Path, findings: Findings) -> Iterator[DefinitionFile]:
    read = _folder_files if package.is_dir() else _archive_files
    try:
        yield from read(package)
    except (OSError, tarfile.TarError, EOFError) as error:
        findings.add("definitions.package-unreadable", str(package), "", reason=str(error))


def _folder_files(folder: Path) -> Iterator[DefinitionFile]:
    inner = folder / "package" if (folder / "package").is_dir() else folder
    for file in sorted(inner.glob("*.json")):
        if file.name not in _NOT_RESOURCES:
            yield DefinitionFile(str(file), file.read_bytes(), _NO_SENTENCES)


def _archive_files(archive: Path) -> Iterator[DefinitionFile]:
    with tarfile.open(archive, mode="r:gz") as package:
        for member in package:
            found = _IN_PACKAGE.fullmatch(member.name)
            content = package.extractfile(member)
            if found and content and found[1] not in _NOT_RESOURCES:
                yield DefinitionFile(f"{archive}!{member.name}", content.read(), _NO_SENTENCES)
