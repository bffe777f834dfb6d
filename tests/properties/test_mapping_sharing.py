"""What a map works out once a record is what it would give wherever it is wanted."""

import random
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest

from fhir_server.mapping import Mappings, load_mappings
from fhir_server.mapping.assembly import Assembly, compile_assembly
from fhir_server.mapping.form import Field
from fhir_server.mapping.record import plain

TODAY = date(2025, 7, 1)
RECORDS = 60
ENCODER = msgspec.json.Encoder(decimal_format="number")
FORMS = ("care-team", "contract", "htn-followup", "organization", "personal-info", "practitioner", "referral")


@cache
def mappings() -> Mappings:
    return load_mappings()


def value(of: Field, chance: random.Random) -> Any:
    if of.repeats:
        return [single(of, chance) for _ in range(chance.randint(1, 3))]
    return single(of, chance)


def single(of: Field, chance: random.Random) -> Any:
    if of.type == "group":
        return values(of.fields, chance)
    made: dict[str, Any] = {
        "code": chance.choice([*of.options, "?"]),
        "integer": chance.randint(1, 99),
        "decimal": Decimal(chance.randint(1, 999)) / 10,
        "date": chance.choice(["2025-05-01", "1950", "2020-02"]),
        "datetime": "2025-05-01T08:00:00+08:00",
        "boolean": chance.random() < 0.5,
        "string": f"{of.name}#{chance.randint(1, 3)}",
    }
    return made[of.type]


def values(fields: Any, chance: random.Random) -> dict[str, Any]:
    filled = chance.random()
    return {name: value(f, chance) for name, f in fields.items() if chance.random() < filled}


@pytest.mark.parametrize("form", FORMS)
def test_sharing_changes_no_byte(form: str) -> None:
    """The same resources, findings and order of members, for records from nearly empty to full."""
    mapper = mappings().mapper(form, "national")
    plan = mapper.plan
    assembly = Assembly(plan.resources, plan.namespace, plan.meta_source)
    shared, unshared = compile_assembly(assembly), compile_assembly(assembly, is_sharing=False)
    chance = random.Random(form)
    made = 0
    for _ in range(RECORDS):
        given = values(mapper.form.fields, chance)
        record, _ = mapper.read(dict.fromkeys(mapper.form.key, "K1") | given)
        one, other = shared(record.values, TODAY), unshared(record.values, TODAY)
        assert ENCODER.encode(one) == ENCODER.encode(other), plain(record.values)
        made += len(one.references)
    assert made >= RECORDS / 2


def test_mapping_a_record_changes_no_other_record() -> None:
    """Shared parts stay as they are: what one record gives is the same before and after a thousand others."""
    mapper = mappings().mapper("personal-info", "national")
    chance = random.Random("others")
    records = [mapper.read(values(mapper.form.fields, chance))[0] for _ in range(RECORDS)]
    first = [ENCODER.encode(mapper.plan.make(record.values, TODAY)) for record in records]
    assert [ENCODER.encode(mapper.plan.make(record.values, TODAY)) for record in records] == first
