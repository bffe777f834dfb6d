"""The main job from end to end, as scripts/demo does it: generate, load, load again."""

import json

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app

VARIANTS = [("national", "csv", "gb18030"), ("chis", "json", "utf-8"), ("chis", "csv", "utf-8-sig")]


def run(*arguments: object) -> None:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output


def load(folder) -> dict:
    report = folder / "report.json"
    run("load", folder / "source", "--store", f"sqlite:///{folder}/fhir.db", "--report", report)
    return json.loads(report.read_text("utf-8"))


@pytest.mark.parametrize(("dialect", "format_", "encoding"), VARIANTS)
def test_every_planted_row_is_found_and_a_second_load_changes_nothing(tmp_path, dialect, format_, encoding):
    out = tmp_path / "source"
    size = ("--residents", 80, "--seed", 5, "--bad-rows", 7)
    run("generate", *size, "--dialect", dialect, "--format", format_, "--encoding", encoding, "--out", out)
    planted = {
        (p["file"], p["row"], p["rule"]) for p in json.loads((out / "manifest.json").read_text("utf-8"))["planted"]
    }
    assert len(planted) == 7

    first = load(tmp_path)
    found = {
        (i["file"], i["row"], i["rule"])
        for f in first["forms"]
        for i in f["issues"]
        if i["severity"] in ("error", "fatal")
    }
    assert found == planted
    assert first["read"] == first["mapped"] + first["rejected"]
    assert first["stored"]["created"] > 150

    second = load(tmp_path)
    assert (second["read"], second["mapped"], second["rejected"]) == (first["read"], first["mapped"], first["rejected"])
    assert second["stored"] == {"created": 0, "updated": 0, "unchanged": first["stored"]["created"]}
    assert second["resources"]["created"] + second["resources"]["updated"] == 0
