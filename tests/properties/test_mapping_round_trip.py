"""A form record written in a dialect and read back is the same record, as far as the dialect has columns for it."""

import csv
import random
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_server.mapping import Mapper, Mappings, load_mappings
from fhir_server.mapping.form import Field
from fhir_server.operations.map_records import map_files

NOW = datetime(2025, 7, 1, tzinfo=UTC)
FORMS = ("htn-followup", "care-team")
RECORDS = 40


@cache
def mappings() -> Mappings:
    return load_mappings(only=FORMS)


def value(of: Field, chance: random.Random) -> Any:
    if of.repeats and of.type != "group":
        options = list(of.options) or ["430903107001", "430903107002", "430903107003"]
        return chance.sample(options, chance.randint(1, 3))
    low, high = int(of.low or 1), int(min(of.high or 99, 400))
    made: dict[str, Any] = {
        "string": f"{of.name}{chance.randint(1, 99)}",
        "integer": chance.randint(low, high),
        "decimal": Decimal(chance.randint(low * 10 + 1, high * 10)) / 10 + Decimal("0.05"),
        "date": f"2025-0{chance.randint(1, 6)}-1{chance.randint(0, 9)}",
        "boolean": chance.random() < 0.5,
        "code": chance.choice(list(of.options) or [""]),
    }
    return made[of.type]


def fields_of(mapper: Mapper, group: str) -> dict[str, Field]:
    """The fields that a dialect has columns for, constants left out: those are not the record's to choose."""
    tables = [t for t in mapper.dialect.tables if t.group == group and bool(t.parent) == bool(group)]
    fixed = {column.name for t in tables for column, _ in t.constants}
    found = {t.field.name: t.field for table in tables for c in table.columns.values() for t in c.targets if not t.line}
    return {name: f for name, f in found.items() if name not in fixed}


def record(mapper: Mapper, number: int, chance: random.Random) -> dict[str, Any]:
    keep = {name: f for name, f in fields_of(mapper, "").items() if f.required or chance.random() < 0.7}
    values = {name: value(f, chance) for name, f in keep.items()}
    values |= {mapper.form.key[0]: f"K{number}", "visitNo" if "visitNo" in values else mapper.form.key[0]: f"K{number}"}
    if mapper.form.name == "htn-followup":
        values = {n: v for n, v in values.items() if n not in {"recordNo", "nextDate"}} | {"mode": "1"}
        values |= dict.fromkeys(("residentNo", "recordNo"), f"{43090310720100000 + number}")
        values |= {"sbp": 150, "dbp": 90, "visitDate": "2025-05-01"}
    lines = fields_of(mapper, "members" if "members" in mapper.form.fields else "drugs")
    if lines:
        group = "members" if "members" in mapper.form.fields else "drugs"
        values[group] = [{n: value(f, chance) for n, f in lines.items()} for _ in range(chance.randint(1, 3))]
    return values


@pytest.mark.parametrize("dialect", ["national", "chis"])
@pytest.mark.parametrize("form", FORMS)
def test_what_a_dialect_writes_it_reads_back(form: str, dialect: str, tmp_path: Path) -> None:
    mapper = mappings().mapper(form, dialect)
    chance = random.Random(f"{form}/{dialect}")
    records = [record(mapper, number, chance) for number in range(RECORDS)]
    tables: dict[str, list[dict[str, str]]] = {}
    for values in records:
        for name, rows in mapper.to_source(values).items():
            tables.setdefault(name, []).extend(rows)
    for name, rows in tables.items():
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    run = map_files(mappings(), form, dialect, sorted(tmp_path.iterdir()), now=NOW)
    read = [found.values for found in run]
    assert [f.zh for f in run.report().issues if f.severity == "error"] == []
    constants = {column.name: text for t in mapper.dialect.tables for column, text in t.constants}
    assert read == [constants | values for values in records]


def test_the_printed_form_holds_four_drugs_in_numbered_columns(tmp_path: Path) -> None:
    mapper = mappings().mapper("htn-followup", "national")
    drugs = [{"name": f"药{n}", "timesPerDay": n, "dose": Decimal("2.5"), "doseUnit": "mg"} for n in range(1, 5)]
    values = {
        "visitNo": "V1",
        "residentNo": "43090310720100014",
        "recordNo": "43090310720100014",
        "visitDate": "2025-05-01",
        "mode": "1",
        "drugs": drugs,
    }
    ((_, (row,)),) = mapper.to_source(values).items()
    (tmp_path / "a.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    (found,) = map_files(mappings(), "htn-followup", "national", [tmp_path / "a.csv"], now=NOW)
    assert found.values == values
