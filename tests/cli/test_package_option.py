"""`--package` loads FHIR packages of others, profiles with a differential alone among them."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app
from fhir_server.definitions.packages import load_definitions

URL = "http://example.org/StructureDefinition/p"
PROFILE = {
    "resourceType": "StructureDefinition",
    "id": "p",
    "url": URL,
    "name": "P",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "differential": {"element": [{"path": "Patient.name", "min": 1}]},
}


@pytest.fixture
def package(tmp_path):
    """Returns what packs these resources, by name, as a package."""

    def pack(**resources: Any) -> Path:
        folder = tmp_path / "package"
        folder.mkdir()
        for name, resource in resources.items():
            (folder / f"{name}.json").write_text(json.dumps(resource), encoding="utf-8")
        with tarfile.open(tmp_path / "p.tgz", "w:gz") as tar:
            tar.add(folder, "package")
        return tmp_path / "p.tgz"

    return pack


def run(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.parametrize("by_setting", [False, True], ids=["option", "setting"])
def test_doctor_counts_the_profiles_of_a_package_and_tells_what_it_leaves_out(package, monkeypatch, by_setting):
    copy = PROFILE | {"id": "c", "url": "http://hl7.org/fhir/StructureDefinition/Patient"}
    file = package(p=PROFILE, c=copy)
    if by_setting:
        monkeypatch.setenv("FHIR_PACKAGES", f" {file} ,")
    done = run("doctor", "--store", "sqlite:///:memory:", *(() if by_setting else ("--package", file)))
    assert done.exit_code == 0
    assert f" {len(load_definitions().profiles()) + 1} profiles, all compiled" in done.stdout
    assert "R4's own definition counts" in done.stderr


@pytest.mark.parametrize("is_folder", [False, True], ids=["tgz", "folder"])
def test_an_element_that_the_base_does_not_have_is_left_out_with_a_note(package, tmp_path, is_folder):
    unknown = {"path": "Patient.nickname", "min": 1}
    elements = [unknown, {"path": "Patient.nickname.text", "min": 1}, *PROFILE["differential"]["element"]]
    file = package(p=PROFILE | {"differential": {"element": elements}})
    file = tmp_path / "package" if is_folder else file
    (tmp_path / "patient.json").write_text('{"resourceType": "Patient"}', encoding="utf-8")
    done = run("doctor", "--store", "sqlite:///:memory:", "--package", file)
    place = f"{file}/p.json" if is_folder else f"{file}!package/p.json"
    assert done.exit_code == 0
    said = f"{place}: StructureDefinition.differential.element (Patient.nickname) is left out, the rest of the profile counts"
    assert done.stderr.count(said) == 1
    judged = run("validate", tmp_path / "patient.json", "--profile", URL, "--package", file, "--json")
    assert judged.exit_code == 1
    assert "Patient.name" in judged.stdout


@pytest.mark.parametrize("command", ["serve", "load"])
def test_a_package_that_cannot_be_used_ends_the_command_with_its_reason(package, command, tmp_path):
    broken = package(p=PROFILE | {"baseDefinition": "http://example.org/none"})
    store = ("--store", f"sqlite:///{tmp_path / 'x.db'}")
    arguments = {
        "serve": store,
        "load": (broken, "--form", "contract", "--dialect", "chis", *store),
    }
    done = run(command, *arguments[command], "--package", broken)
    assert done.exit_code == 2
    assert f"{broken}!package/p.json: StructureDefinition.baseDefinition names 'http://example.org/none'" in done.stderr
