"""What holds for every mapping case: references, emptiness, origin of every leaf, validity, repeatability, counts."""

import base64
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.data_files import data_folder
from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping import Mappings, load_mappings
from fhir_server.mapping.ids import derived_id, namespace_of
from fhir_server.mapping.record import leaves
from fhir_server.mapping.report import Report
from fhir_server.mapping.yaml_files import read_yaml, text_of
from fhir_server.operations.map_records import MappedRecord, map_files
from fhir_server.validation import Validator

ROOT = data_folder("mappings")
CASES = sorted(p.parent for p in ROOT.glob("*/cases/*/case.json") if "dialect" in p.read_text("utf-8"))
OWN_FILES = {"case.json", "record.json", "bundle.json", "report.json"}
ENTITIES = (
    *("patient", "organization", "practitioner", "practitioner-role", "care-team", "contract", "household", "referral"),
)
ENGINE = {"PUT", "transaction", "CNY", "http://unitsofmeasure.org"}
BLANK = re.compile(r"\{(?![BS]\})\.?\w+\}")
every_case = pytest.mark.parametrize("folder", CASES, ids=lambda p: f"{p.parent.parent.name}/{p.name}")


@cache
def mappings() -> Mappings:
    return load_mappings()


@cache
def validator() -> Validator:
    return Validator(load_definitions(base=mappings().base))


def run(folder: Path) -> tuple[list[MappedRecord], Report]:
    case = msgspec.json.decode((folder / "case.json").read_bytes())
    names = case.get("files") or sorted(p.name for p in folder.iterdir() if p.name not in OWN_FILES)
    found = map_files(
        mappings(),
        folder.parent.parent.name,
        case["dialect"],
        [folder / name for name in names],
        now=datetime.fromisoformat(case.get("now", "2025-07-01T00:00:00Z")),
        encoding=case.get("encoding", "auto"),
        source=case.get("source"),
        bad_id=case.get("bad_id", "warn"),
    )
    return list(found), found.report()


def resources(records: list[MappedRecord]) -> list[JsonObject]:
    return [entry["resource"] for r in records if r.bundle is not None for entry in r.bundle["entry"]]


def references(value: Any) -> set[str]:
    return {text for place, text in leaves(value) if place.endswith(".reference")}


@every_case
def test_every_reference_is_in_the_run_or_derived_from_a_value_of_its_record(folder):
    records, report = run(folder)
    namespace = namespace_of(mappings().base, report.source)
    own = {f"{r['resourceType']}/{r['id']}" for r in resources(records)}
    for record in records:
        values = {str(value) for _, value in leaves(record.values)}
        derived = {derived_id(namespace, entity, (value,)) for entity in ENTITIES for value in values}
        outside = references(record.bundle or {}) - own
        if not record.is_collected:
            assert {r for r in outside if r.partition("/")[2] not in derived} == set()


@every_case
def test_no_resource_is_empty_or_twice_in_a_bundle_and_nothing_in_it_is_empty(folder):
    for record in run(folder)[0]:
        made = resources([record])
        keys = [(r["resourceType"], r["id"]) for r in made]
        assert sorted(set(keys)) == sorted(keys)
        assert [r for r in made if set(r) <= {"resourceType", "id", "meta", "identifier"}] == []
        assert [place for r in made for place in empties(r)] == []


def empties(value: Any, place: str = "") -> Iterator[str]:
    if value in (None, "", [], {}) and value is not False and value != 0:
        yield place
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from empties(item, f"{place}.{key}")


@every_case
def test_running_twice_gives_equal_bytes(folder):
    first, second = (msgspec.json.encode(resources(run(folder)[0])) for _ in range(2))
    assert first == second


@every_case
def test_read_is_mapped_plus_rejected_and_every_rejected_row_has_an_error(folder):
    records, report = run(folder)
    assert report.read == report.mapped + report.rejected
    assert [(f.file, f.read) for f in report.files] == [(f.file, f.mapped + f.rejected) for f in report.files]
    rejected = [r for r in records if r.bundle is None]
    assert [r.row for r in rejected if not any(i.severity == "error" for i in r.issues)] == []


@every_case
def test_every_leaf_is_in_the_record_a_table_or_a_constant_of_the_map(folder):
    records, report = run(folder)
    known, sentences = constants(report.form, report.source)
    for record in records:
        if record.bundle is not None and not record.is_collected:
            words = known | {str(v) for _, v in leaves(record.values)} | raw_words(folder)
            assert [leaf for leaf in told(record.bundle) if not is_known(leaf, words, sentences)] == []


def told(bundle: JsonObject) -> Iterator[str]:
    """Leaves that a map decides: not ids, references, the engine's identifiers, hashes and time stamps."""
    for entry in bundle["entry"][:-1]:
        resource = {k: v for k, v in entry["resource"].items() if k not in {"id", "identifier"}}
        others = entry["resource"].get("identifier", [])[1:]
        for place, value in leaves(resource | {"others": others}):
            if not place.endswith(".reference") and not isinstance(value, bool):
                yield str(value)


def is_known(leaf: str, words: set[str], sentences: list[re.Pattern[str]]) -> bool:
    if leaf in words or any(s.fullmatch(line) for line in leaf.split("\n") for s in sentences):
        return True
    try:
        decoded = base64.b64decode(leaf, validate=True).decode()
    except ValueError:
        return leaf.replace(" ", "") in {w.replace(" ", "") for w in words} or is_joined(leaf, words)
    return is_known(decoded, words, sentences)


def is_joined(leaf: str, words: set[str]) -> bool:
    """A citizen number that was normalised, or a source code behind its words."""
    return any(leaf.upper() == w.upper() for w in words) or (
        leaf[-18:-1].isdigit() and any(leaf[10:15] in w for w in words)
    )


@cache
def constants(form: str, source: str) -> tuple[set[str], list[re.Pattern[str]]]:
    base = mappings().base
    files = [ROOT / form / "map.yaml", ROOT / form / "form.yaml", *ROOT.glob(f"_dialects/*/{form}.yaml")]
    texts = set(ENGINE) | {f"{base}/source/{source}", f"{base}/sid/{source}/unverified-id"}
    for path in (*files, *ROOT.glob("_shared/tables/*.yaml")):
        for place, value in leaves(read_yaml(path)):
            texts |= {text_of(value), *place.replace("[", ".").split(".")}
    filled = {t.replace("{B}", base).replace("{S}", f"{base}/sid/{source}") for t in texts}
    fields = [f.path.replace(".", "-") for f in mappings().forms[form].each_field()]
    filled |= {f"{base}/CodeSystem/{form}-{f}" for f in fields} | {
        f"{base}/sid/{source}/code/{form}-{f}" for f in fields
    }
    filled |= set(mappings().base.split()) | {
        r.type for r in mappings().plan(form, any_dialect(form), source=source).resources
    }
    told_by_map = {text_of(value) for _, value in leaves(read_yaml(ROOT / form / "map.yaml"))}
    return filled, [sentence(t) for t in told_by_map if BLANK.search(t) and BLANK.sub("", t).strip(" ：:，,")]


def any_dialect(form: str) -> str:
    return mappings().dialects(form)[0]


def sentence(template: str) -> re.Pattern[str]:
    pieces = BLANK.split(template)
    return re.compile("(?s:.+)".join(re.escape(p) for p in pieces))


@cache
def raw_words(folder: Path) -> set[str]:
    """The raw words of the case's files: a source's own code travels on as it was written."""
    found: set[str] = set()
    for path in folder.iterdir():
        if path.name not in OWN_FILES:
            content = path.read_bytes()
            for codec in ("utf-8", "gb18030"):
                found |= set(re.split(r"[,\t\r\n\"|:\[\]{}/ ：（）]+", content.decode(codec, "ignore")))
    return found


@every_case
def test_what_is_made_is_valid(folder):
    wrong = {
        (resource["resourceType"], found.key, found.path, found.text())
        for resource in resources(run(folder)[0])
        for found in validator().check(resource)
        if found.severity in {"error", "fatal"}
    }
    assert wrong == set()
