import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.mapping import load_mappings
from fhir_server.operations.map_records import map_files
from fhir_server.synthetic.faults import FAULTS
from fhir_server.synthetic.population import FORMS, build_population
from fhir_server.synthetic.writer import Output, write_population
from fhir_server.validation import Validator

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)
WAYS = [
    ("national", "csv", "gb18030"),
    ("national", "json", "utf-8"),
    ("chis", "csv", "utf-8-sig"),
    ("chis", "json", "utf-8"),
]


@pytest.fixture(scope="module")
def mappings():
    return load_mappings()


@pytest.fixture(scope="module")
def population():
    return build_population(300, seed=2025)


def mapped(folder, manifest, mappings, validate=None):
    """Every finding of an error, the rows that were rejected, and the numbers of mapped records, form by form."""
    errors, mapped_rows, rejected = set(), {}, set()
    for entry in manifest["files"]:
        paths = [Path(folder) / p for p in entry["paths"]]
        run = map_files(
            mappings, entry["form"], manifest["dialect"], paths, now=NOW, encoding=entry["encoding"], validate=validate
        )
        outcomes = [r for r in run if not r.is_collected]
        rejected |= {(r.row.file, r.row.row) for r in outcomes if r.bundle is None}
        mapped_rows[entry["form"]] = sum(r.bundle is not None for r in outcomes)
        report = run.report()
        errors |= {(i.file, i.row, i.rule) for i in report.issues if i.severity in ("error", "fatal")}
        assert report.unused_columns == ()
    return errors, rejected, mapped_rows


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_only_the_planted_rows_are_rejected_and_each_by_its_rule(tmp_path, mappings, population, way):
    manifest = write_population(population, Output(tmp_path, *way, bad_rows=len(FAULTS)), mappings=mappings)
    planted = {(p["file"], p["row"], p["rule"]) for p in manifest["planted"] if p["stage"] == "map"}
    errors, rejected, _ = mapped(tmp_path, manifest, mappings)
    assert errors == planted
    assert rejected == {(file, row) for file, row, _ in planted}
    assert {p["kind"] for p in manifest["planted"]} == {f.kind for f in FAULTS}


def test_a_planted_orphan_names_a_resident_that_no_file_has(tmp_path, mappings, population):
    manifest = write_population(population, Output(tmp_path, "chis", "json", bad_rows=len(FAULTS)), mappings=mappings)
    orphan = next(p for p in manifest["planted"] if p["stage"] == "load")
    row = json.loads((tmp_path / orphan["file"]).read_text("utf-8"))[orphan["row"] - 1]
    residents = json.loads((tmp_path / "MPI_DemographicInfo.json").read_text("utf-8"))
    known = {r["empiId"] for r in residents if isinstance(r, dict)}
    assert len(known) == 301
    assert row["favoreeEmpiId"] not in known


@pytest.mark.parametrize("dialect", ["national", "chis"])
def test_everything_maps_to_valid_resources(tmp_path, mappings, dialect):
    population = build_population(40, seed=8)
    manifest = write_population(population, Output(tmp_path, dialect), mappings=mappings)
    errors, rejected, mapped_rows = mapped(tmp_path, manifest, mappings, Validator(load_definitions()).check)
    assert (errors, rejected) == (set(), set())
    refused = sum(r["status"] == "rejected" for r in population.records["contract"]) if dialect == "chis" else 0
    counts = {form: len(records) for form, records in population.records.items() if records}
    counts["contract"] -= refused
    assert mapped_rows == counts


def test_files_are_named_as_their_forms_and_listed_in_load_order(tmp_path, mappings, population):
    manifest = write_population(population, Output(tmp_path, "national"), mappings=mappings)
    assert [f["form"] for f in manifest["files"]] == list(FORMS)
    assert [p for f in manifest["files"] for p in f["paths"]] == [
        "机构.csv",
        "人员.csv",
        "团队.csv",
        "团队成员.csv",
        "个人基本信息表.csv",
        "签约.csv",
        "高血压患者随访服务记录表.csv",
        "双向转诊.csv",
    ]
    assert {p.name for p in tmp_path.iterdir()} == {p for f in manifest["files"] for p in f["paths"]} | {
        "manifest.json"
    }
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8")) == manifest


def test_county_tables_keep_their_own_names(tmp_path, mappings, population):
    manifest = write_population(population, Output(tmp_path, "chis"), mappings=mappings)
    assert {p for f in manifest["files"] for p in f["paths"]} == {
        "manaUnit.csv",
        "user.csv",
        "PUB_FamilyTeam.csv",
        "PUB_FamilyDoctor.csv",
        "MPI_DemographicInfo.csv",
        "EHR_PastHistory.csv",
        "SCM_SignContractRecord.csv",
        "MDC_HypertensionVisit.csv",
        "MDC_HypertensionMedicine.csv",
        "DR_Referrals.csv",
        "drIt_sendExchangeReport.csv",
    }


def test_the_county_holds_no_refused_application_and_says_expired_by_date(tmp_path, mappings, population):
    write_population(population, Output(tmp_path, "chis", "json"), mappings=mappings)
    rows = json.loads((tmp_path / "SCM_SignContractRecord.json").read_text("utf-8"))
    told = {r["SCID"]: r["signFlag"] for r in rows}
    states = {
        "active": "1",
        "expired": "1",
        "terminated": "2",
        "voided": "2",
        "resident-applied": "4",
        "doctor-applied": "4",
    }
    contracts = population.records["contract"]
    assert told == {r["contractNo"]: states[r["status"]] for r in contracts if r["status"] != "rejected"}


def test_numbers_and_codes_survive_the_way_through_the_files(tmp_path, mappings):
    population = build_population(60, seed=3)
    manifest = write_population(population, Output(tmp_path, "national", encoding="gb18030"), mappings=mappings)
    entry = next(f for f in manifest["files"] if f["form"] == "htn-followup")
    run = map_files(mappings, "htn-followup", "national", [tmp_path / p for p in entry["paths"]], now=NOW)
    read = {r.values["visitNo"]: r.values for r in run}
    unsaid = {"referralCode"}  # the printed form has the reason in words alone
    lines_unsaid = {"kind", "days"}  # and neither class of drug nor days
    written = {}
    for record in population.records["htn-followup"]:
        kept = {k: v for k, v in record.items() if k not in unsaid}
        if "drugs" in kept:
            kept["drugs"] = [{k: v for k, v in d.items() if k not in lines_unsaid} for d in kept["drugs"]]
        written[record["visitNo"]] = kept
    assert read == written
