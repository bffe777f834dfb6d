"""Modifiers, composites, `_filter`, `_list` and `near` over HTTP, on a store; what each matches is in tests/cases."""

import pytest

from support.rest import ids_of, keys_of

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def reading(code: str, value: float, unit: str = "mm[Hg]") -> dict[str, object]:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": quantity}


def pressure(id_: str, systolic: int, diastolic: int, patient: str) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "85354-9", "display": "血压"}], "text": "Blood pressure"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2025-04-10",
        "component": [reading("8480-6", systolic), reading("8462-4", diastolic)],
    }


def place(id_: str, parent: str | None, latitude: float) -> dict[str, object]:
    above = {"partOf": {"reference": f"Location/{parent}"}} if parent else {}
    position = {"position": {"latitude": latitude, "longitude": 112.88}}
    return {"resourceType": "Location", "id": id_, "name": id_, **above, **position}


def condition(id_: str, status: str) -> dict[str, object]:
    coding = [{"system": CLINICAL, "code": status}]
    subject = {"reference": "Patient/p1"}
    return {"resourceType": "Condition", "id": id_, "clinicalStatus": {"coding": coding}, "subject": subject}


@pytest.fixture
def filled(lenient_server):
    server = lenient_server
    server.put({"resourceType": "Patient", "id": "p1", "name": [{"family": "Wang"}], "birthDate": "1950-01-01"})
    server.put({"resourceType": "Patient", "id": "p2", "name": [{"family": "Li"}], "birthDate": "1985-05-05"})
    server.put(pressure("high", 150, 80, "p1"))
    server.put(pressure("swapped", 80, 150, "p2"))
    server.put({"resourceType": "Observation", "id": "weight", "status": "final", **reading("29463-7", 70, "kg")})
    for id_, parent, latitude in [("county", None, 28.68), ("town", "county", 28.70), ("village", "town", 28.9)]:
        server.put(place(id_, parent, latitude))
    server.put(condition("active", "active"))
    server.put(condition("relapse", "relapse"))
    entries = [{"item": {"reference": ref}} for ref in ("Observation/high", "Patient/p2")]
    server.put({"resourceType": "List", "id": "l1", "status": "current", "mode": "working", "entry": entries})
    return server


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        (f"Observation?component-code-value-quantity={LOINC}|8480-6$gt140|{UCUM}|mm[Hg]", ["high"]),
        ("Observation?component-code-value-quantity=8462-4$150", ["swapped"]),
        (f"Observation?component-code-value-quantity={LOINC}|$150", ["high", "swapped"]),
        (
            f"Observation?combo-code-value-quantity=8480-6$lt100|{UCUM}|mm[Hg],29463-7$70000|{UCUM}|g",
            ["swapped", "weight"],
        ),
        (f"Observation?code-value-quantity=29463-7$70|{UCUM}|kg", ["weight"]),
        ("Observation?component-code-value-quantity:missing=true", ["weight"]),
        (f"Observation?value-quantity=70000|{UCUM}|g", ["weight"]),
        ("Observation?code:text=blood", ["high", "swapped"]),
        ("Observation?code:text=压", ["high", "swapped"]),
        ("Observation?code:text=pressure", []),
        ("Observation?status:in=http://hl7.org/fhir/ValueSet/observation-status", ["high", "swapped", "weight"]),
        ("Observation?status:not-in=http://hl7.org/fhir/ValueSet/observation-status", []),
        (f"Condition?clinical-status:below={CLINICAL}|active", ["active", "relapse"]),
        (f"Condition?clinical-status:above={CLINICAL}|active", ["active"]),
        ("Location?partof:below=county", ["town", "village"]),
        ("Location?partof:above=county", ["town"]),
        ("Location?near=28.68|112.88|3|km", ["county", "town"]),
        ("Observation?_list=l1", ["high"]),
        ("Patient?_list=l1", ["p2"]),
        ("Observation?_list=nobody", []),
        ('Patient?_filter=family eq "wang" or birthdate ge 1980', ["p1", "p2"]),
        ("Patient?_filter=not (family eq wang) and birthdate gt 1980", ["p2"]),
        ("Observation?_filter=subject.family eq li", ["swapped"]),
        ("Observation?_filter=subject[birthdate lt 1960].family sw w", ["high"]),
        ("Observation?_filter=subject:Patient[birthdate lt 1960].family eq li", []),
        ('Observation?_filter=value-quantity eq "70||kg"', ["weight"]),
        ('Observation?_filter=component-code-value-quantity eq "8480-6$150||mm[Hg]"', ["high"]),
        ("Observation?_filter=date po 2025-04 and subject re Patient/p1", ["high"]),
        (f"Condition?_filter=clinical-status ss {CLINICAL}|active", ["active", "relapse"]),
        ("Observation?_filter=subject pr false", ["weight"]),
        ("Patient?_has:Observation:subject:_filter=code eq 85354-9 and subject re Patient/p1", ["p1"]),
    ],
)
def test_found(filled, search, ids):
    assert sorted(ids_of(filled.get(search))) == ids


@pytest.mark.parametrize("name", ["code:text", "component-code-value-quantity"])
def test_a_value_longer_than_any_label_finds_nothing(filled, name):
    form = f"{name}={'压' * 60_000}$5".encode()
    answer = filled.send("POST", "Observation/_search", form, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, ids_of(answer)) == (200, [])


@pytest.mark.parametrize(
    ("search", "key"),
    [
        ("Observation?_query=current", "search.parameter-not-offered"),
        ("Observation?_list=$current-problems", "search.list-functional"),
        ("Observation?_contained=all", "search.result-invalid"),
        ("Observation?_sort=code-value-quantity", "search.sort-unknown"),
        ("Location?_sort=near", "search.sort-unknown"),
        ("Observation?code:in=http://hl7.org/fhir/ValueSet/observation-codes", "search.value-set-open"),
        ("Observation?_filter=code zz x", "search.filter-syntax"),
    ],
)
def test_refused(filled, search, key):
    answer = filled.get(search)
    assert (answer.status_code, keys_of(answer)) == (400, [key])
