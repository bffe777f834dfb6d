import hashlib
import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app


def run(*arguments: object):
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


def bytes_of(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def generated(folder, *arguments: object):
    done = run("--out", folder, "--residents", 40, *arguments)
    assert done.exit_code == 0, done.output
    return bytes_of(folder)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    options = ("--seed", 7, "--bad-rows", 5)
    assert generated(tmp_path / "a", *options) == generated(tmp_path / "b", *options)


def test_another_seed_gives_other_bytes_in_every_file_but_the_teams_names(tmp_path):
    one, other = generated(tmp_path / "a", "--seed", 7), generated(tmp_path / "b", "--seed", 8)
    assert {name for name in one if one[name] == other[name]} == {"团队.csv"}
    assert set(one) == set(other)


def test_the_hash_seed_of_python_changes_nothing(tmp_path):
    for hash_seed in ("0", "1"):
        command = [sys.executable, "-m", "fhir_server", "generate", "--residents", "40", "--bad-rows", "7"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run([*command, "--out", str(tmp_path / hash_seed)], env=environment, check=True, capture_output=True)
    assert bytes_of(tmp_path / "0") == bytes_of(tmp_path / "1")


def test_the_reference_day_goes_into_the_manifest(tmp_path):
    generated(tmp_path / "a", "--as-of", "2024-12-31", "--seed", 3)
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text("utf-8"))
    found = {k: manifest[k] for k in ("dialect", "seed", "residents", "asOf", "planted")}
    assert found == {"dialect": "national", "seed": 3, "residents": 40, "asOf": "2024-12-31", "planted": []}


def test_it_prints_files_with_their_rows(tmp_path):
    done = run("--out", tmp_path / "a", "--residents", 12, "--dialect", "chis")
    assert "      12  personal-info MPI_DemographicInfo.csv\n" in done.output
    assert "12 residents as of 2025-06-30, seed 2025\n" in done.output


def test_a_folder_that_is_not_empty_is_refused_unless_forced(tmp_path):
    (tmp_path / "kept.txt").write_text("x")
    refused = run("--out", tmp_path, "--residents", 5)
    assert refused.exit_code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]
    assert run("--out", tmp_path, "--residents", 5, "--force").exit_code == 0
    assert (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--encoding", "latin-1"),
        ("--format", "xml"),
        ("--residents", "0"),
        ("--as-of", "yesterday"),
        ("--dialect", "nobody"),
    ],
    ids=lambda w: w[0],
)
def test_unknown_choices_are_refused(tmp_path, wrong):
    assert run("--out", tmp_path / "a", "--residents", 5, *wrong).exit_code == 2
