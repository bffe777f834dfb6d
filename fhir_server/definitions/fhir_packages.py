"""FHIR packages of others, as a folder or `.tgz`, https://confluence.hl7.org/display/FHIR/NPM+Package+Specification.

What counts lies right in `package/`; a folder may be that folder itself. Examples, in folders below, are no definitions.
"""

import re
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fhir_server.definitions.findings import Findings, listed
from fhir_server.errors import BadStructure
from fhir_server.fhir import json_codec
from fhir_server.fhir.shapes import JsonObject

CORE = "hl7.fhir.r4.core"
"""R4's own package: its facts are built in, so nobody has to bring it along."""

_IN_PACKAGE = re.compile(r"(?:\./)?package/([^/]+\.json)")
_MANIFEST = "package.json"
_NOT_RESOURCES = frozenset({_MANIFEST, ".index.json"})


@dataclass(frozen=True, slots=True)
class FhirPackage:
    """The JSON files of a package by name, and its `package.json`; empty when it has none. `root` is what names begin with."""

    root: str
    files: Mapping[str, bytes]
    manifest: JsonObject

    @property
    def name(self) -> str:
        """The package's name in the world, empty when it has none."""
        return str(self.manifest.get("name", ""))

    def place(self, file: str) -> str:
        """Returns how messages call a file of this package."""
        return self.root + file


def read_packages(paths: Sequence[Path], findings: Findings) -> Sequence[FhirPackage]:
    """Returns the packages that can be used, without R4's own; what is wrong with another becomes a finding.

    A dependency that is not among them is noted: a definition that needs it is refused when it is built.
    """
    packages = [package for path in paths if (package := _read(path, findings)) is not None]
    given = {CORE, *(package.name for package in packages)}
    for package in packages:
        for name in sorted(_dependencies(package.manifest).keys() - given):
            findings.note("definitions.dependency-missing", package.place(_MANIFEST), "dependencies", name=name)
    return [package for package in packages if not _is_core(package, findings)]


def _is_core(package: FhirPackage, findings: Findings) -> bool:
    if package.name != CORE:
        return False
    findings.note("definitions.package-is-core", package.place(_MANIFEST), "name", name=CORE)
    return True


def _dependencies(manifest: JsonObject) -> Mapping[str, object]:
    found = manifest.get("dependencies")
    return found if isinstance(found, dict) else {}


def _read(path: Path, findings: Findings) -> FhirPackage | None:
    root = f"{_inner(path)}/" if path.is_dir() else f"{path}!package/"
    try:
        files = _folder(_inner(path)) if path.is_dir() else _archive(path)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        findings.add("definitions.package-unreadable", str(path), "", reason=str(error))
        return None
    resources = {name: files[name] for name in sorted(files.keys() - _NOT_RESOURCES)}
    if not resources:
        findings.add("definitions.package-empty", str(path), "")
        return None
    return _with_manifest(FhirPackage(root, resources, {}), files.get(_MANIFEST, b"{}"), findings)


def _with_manifest(package: FhirPackage, content: bytes, findings: Findings) -> FhirPackage | None:
    place = package.place(_MANIFEST)
    try:
        manifest = json_codec.decode(content)
    except BadStructure as error:
        findings.add("definitions.json-broken", place, "", reason=str(error))
        return None
    versions = manifest.get("fhirVersions", manifest.get("fhir-version-list", []))
    if versions and not any(str(v).startswith("4.0") for v in versions):
        found = listed(map(str, versions))
        findings.add("definitions.package-version", place, "fhirVersions", found=found)
        return None
    return FhirPackage(package.root, package.files, manifest)


def _inner(folder: Path) -> Path:
    return folder / "package" if (folder / "package").is_dir() else folder


def _folder(folder: Path) -> Mapping[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.json")}


def _archive(archive: Path) -> Mapping[str, bytes]:
    files: dict[str, bytes] = {}
    with tarfile.open(archive, mode="r:gz") as package:
        for member in package:
            found = _IN_PACKAGE.fullmatch(member.name)
            content = package.extractfile(member) if found else None
            if found and content:
                files[found[1]] = content.read()
    return files
