"""Every folder `mappings/<form>/cases/<case>/`: source files in, exactly these bundles and this report out.

`FHIR_BLESS=1` writes what came out instead of comparing it. docs/decisions/0002-mapping-language.md describes the folder.
"""

import os
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.data_files import data_folder
from fhir_server.mapping import Mappings, load_mappings
from fhir_server.mapping.findings import finding_of
from fhir_server.operations.map_records import map_files

ROOT = data_folder("mappings")
CASES = sorted(path for path in ROOT.glob("*/cases/*") if path.is_dir())
OWN_FILES = {"case.json", "record.json", "bundle.json", "report.json"}
SOURCE_ENDINGS = {".csv", ".tsv", ".txt", ".json", ".ndjson"}
NOW = "2025-07-01T00:00:00Z"
BLESS = os.environ.get("FHIR_BLESS") == "1"


@cache
def mappings() -> Mappings:
    return load_mappings()


ENCODER = msgspec.json.Encoder(decimal_format="number")


def pretty(value: Any) -> str:
    return msgspec.json.format(ENCODER.encode(value), indent=1).decode() + "\n"


def read_json(path: Path) -> Any:
    return msgspec.json.decode(path.read_bytes()) if path.exists() else {}


def without_fingerprint(bundle: Any) -> Any:
    """A bundle with the mapping's version and not the fingerprint of its files, which any edit of them changes."""
    for entry in bundle["entry"]:
        for agent in entry["resource"].get("agent", ()):
            identifier = agent["who"]["identifier"]
            identifier["value"] = identifier["value"].partition("+")[0]
    return bundle


def run_files(folder: Path, case: dict[str, Any]) -> tuple[Any, Any]:
    names = case.get("files") or sorted(
        p.name for p in folder.iterdir() if p.suffix in SOURCE_ENDINGS and p.name not in OWN_FILES
    )
    run = map_files(
        mappings(),
        folder.parent.parent.name,
        case["dialect"],
        [folder / name for name in names],
        now=datetime.fromisoformat(case.get("now", NOW)),
        encoding=case.get("encoding", "auto"),
        source=case.get("source"),
        bad_id=case.get("bad_id", "warn"),
    )
    bundles = [without_fingerprint(record.bundle) for record in run if record.bundle is not None]
    return bundles, run.report().as_json()


def run_record(folder: Path, case: dict[str, Any]) -> tuple[Any, Any]:
    form = folder.parent.parent.name
    now = datetime.fromisoformat(case.get("now", NOW))
    mapper = mappings().mapper(form, mappings().dialects(form)[0], source="case")
    record, issues = mapper.read(read_json(folder / "record.json"))
    checked, more = mapper.check(record, now=now, bad_id=case.get("bad_id", "warn"))
    result = mapper.map(checked, now=now)
    return [without_fingerprint(result.bundle)], [finding_of(i) for i in (*issues, *more, *result.issues)]


def run_case(folder: Path) -> tuple[Any, Any]:
    case = read_json(folder / "case.json")
    return run_record(folder, case) if (folder / "record.json").exists() else run_files(folder, case)


def test_every_form_has_cases_and_every_dialect_is_in_one() -> None:
    spoken = {(p.parent.parent.name, read_json(p / "case.json").get("dialect")) for p in CASES}
    assert {(f, d) for f in mappings().forms for d in mappings().dialects(f)} - spoken == set()


@pytest.mark.parametrize("folder", CASES, ids=lambda p: f"{p.parent.parent.name}/{p.name}")
def test_case_gives_exactly_its_bundles_and_report(folder: Path) -> None:
    bundles, report = run_case(folder)
    expected = folder / "bundle.json"
    if BLESS:
        expected.write_text(pretty(bundles), encoding="utf-8")
        (folder / "report.json").write_text(pretty(report), encoding="utf-8")
        return
    wanted = expected.read_text(encoding="utf-8")
    assert pretty(bundles if wanted.startswith("[") else bundles[0]) == wanted
    assert pretty(report) == (folder / "report.json").read_text(encoding="utf-8")
