"""Which expressions are walks down elements, and along which keys."""

import pytest

from fhir_server import fhirpath
from fhir_server.search.paths import Step, find_paths

COMPONENT = Step("component", True, "Observation.component")


def paths(type_: str, text: str):
    return find_paths(fhirpath.compile(text, type_), type_)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Observation.status", ((Step("status", False, "code"),),)),
        ("Resource.meta.profile", ((Step("meta", False, "Meta"), Step("profile", True, "canonical")),)),
        ("Observation.component.code", ((COMPONENT, Step("code", False, "CodeableConcept")),)),
        ("(Observation.value as Quantity)", ((Step("valueQuantity", False, "Quantity"),),)),
        (
            "Observation.component.value.ofType(Quantity)",
            ((COMPONENT, Step("valueQuantity", False, "Quantity")),),
        ),
        (
            "(Observation.value as CodeableConcept).text",
            ((Step("valueCodeableConcept", False, "CodeableConcept"), Step("text", False, "string")),),
        ),
    ],
)
def test_a_walk_is_known_by_its_keys(text, expected):
    assert paths("Observation", text) == expected


def test_a_choice_is_a_way_for_each_of_its_types():
    found = paths("Observation", "Observation.effective")
    assert {path[0].key: path[0].type for path in found} == {
        "effectiveDateTime": "dateTime",
        "effectivePeriod": "Period",
        "effectiveTiming": "Timing",
        "effectiveInstant": "instant",
    }


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("Patient", "Patient.telecom.where(system='phone')"),
        ("Patient", "Patient.name[0].family"),
        ("Patient", "Patient.deceased.exists()"),
        ("Bundle", "Bundle.entry.resource"),
        ("Patient", "Observation.status"),
        ("Patient", "Patient.nothing"),
        ("ConceptMap", "(ConceptMap.source as uri)"),
        ("Patient", "Patient"),
    ],
)
def test_what_does_more_than_walk_is_none(type_, text):
    assert paths(type_, text) is None
