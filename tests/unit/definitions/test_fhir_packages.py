"""A package of others is a folder or `.tgz` with `package.json`; a wrong one says what is wrong with it."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fhir_server.definitions.fhir_packages import read_packages
from fhir_server.definitions.findings import Findings

VALUE_SET = {"resourceType": "ValueSet", "id": "v", "url": "http://example.org/v"}


def archive(path: Path, files: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def read(*paths: Path):
    findings = Findings()
    packages = read_packages(paths, findings)
    return packages, [(i.severity.value, i.key) for i in findings.issues]


def manifest(**members: Any) -> dict[str, Any]:
    return {"name": "example.one", "version": "1.0.0", "fhirVersions": ["4.0.1"], **members}


@pytest.mark.parametrize("prefix", ["package/", "./package/"])
def test_what_lies_right_in_the_package_counts(tmp_path, prefix):
    files = {"package.json": manifest(), ".index.json": {}, "v.json": VALUE_SET, "example/e.json": {}, "x.xml": b"<a/>"}
    path = archive(tmp_path / "a.tgz", {prefix + name: content for name, content in files.items()})
    (package,), findings = read(path)
    assert (list(package.files), package.name, findings) == (["v.json"], "example.one", [])
    assert package.place("v.json") == f"{path}!package/v.json"


@pytest.mark.parametrize("inner", ["", "package"])
def test_a_folder_may_be_the_package_or_hold_it(tmp_path, inner):
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    (folder / "v.json").write_text(json.dumps(VALUE_SET), encoding="utf-8")
    (package,), findings = read(tmp_path)
    assert (list(package.files), package.place("v.json"), findings) == (["v.json"], str(folder / "v.json"), [])


def test_a_package_for_r5_is_refused(tmp_path):
    path = archive(tmp_path / "a.tgz", {"package/package.json": manifest(fhirVersions=["5.0.0"]), "package/v.json": {}})
    findings = Findings()
    assert read_packages([path], findings) == []
    assert findings.issues[0].text() == (
        f"{path}!package/package.json: fhirVersions names FHIR 5.0.0; this server needs packages for R4, 4.0.x."
    )


@pytest.mark.parametrize(
    ("files", "key"),
    [
        ({"package/package.json": manifest()}, "definitions.package-empty"),
        ({"other/v.json": VALUE_SET}, "definitions.package-empty"),
        ({"package/package.json": b"{", "package/v.json": VALUE_SET}, "definitions.json-broken"),
    ],
    ids=["only a manifest", "no folder package", "a broken manifest"],
)
def test_a_package_that_is_none_is_refused(tmp_path, files, key):
    assert read(archive(tmp_path / "a.tgz", files)) == ([], [("error", key)])


def test_a_damaged_archive_is_refused(tmp_path):
    path = archive(tmp_path / "a.tgz", {"package/v.json": VALUE_SET})
    path.write_bytes(path.read_bytes()[:60])
    assert read(path) == ([], [("error", "definitions.package-unreadable")])


def test_a_dependency_that_was_not_given_is_noted(tmp_path):
    needs = {"hl7.fhir.r4.core": "4.0.1", "example.two": "1.0.0", "example.three": "1.0.0"}
    one = archive(
        tmp_path / "1.tgz", {"package/package.json": manifest(dependencies=needs), "package/v.json": VALUE_SET}
    )
    two = archive(
        tmp_path / "2.tgz", {"package/package.json": manifest(name="example.two"), "package/v.json": VALUE_SET}
    )
    findings = Findings()
    assert [p.name for p in read_packages([one, two], findings)] == ["example.one", "example.two"]
    assert [(i.key, i.params["name"]) for i in findings.issues] == [("definitions.dependency-missing", "example.three")]


def test_r4s_own_package_is_left_out(tmp_path):
    core = manifest(name="hl7.fhir.r4.core")
    path = archive(tmp_path / "a.tgz", {"package/package.json": core, "package/v.json": VALUE_SET})
    assert read(path) == ([], [("warning", "definitions.package-is-core")])
