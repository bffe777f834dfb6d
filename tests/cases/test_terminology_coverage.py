"""How much of R4's own terminology is known here without a terminology server."""

from collections import Counter, defaultdict
from functools import cache

import pytest

from fhir_server.definitions import facts
from fhir_server.definitions.packages import load_definitions
from fhir_server.terminology import LocalTerminology
from fhir_server.terminology.compose import Gap

VS = "http://hl7.org/fhir/ValueSet/"


@cache
def terminology():
    return LocalTerminology(load_definitions())


@cache
def bound():
    found = defaultdict(set)
    for url in facts.structure_urls():
        structure = facts.structure(url)
        if structure.derivation != "constraint" and structure.kind != "logical":
            for binding in (e.binding for e in structure.elements if e.binding and e.binding.value_set):
                found[binding.strength].add(binding.value_set.partition("|")[0])
    return found


def gaps(urls):
    told = {url: terminology().composer.members_of(url) for url in urls}
    return {url: one.key.partition(".")[2] for url, one in told.items() if isinstance(one, Gap)}


@pytest.mark.parametrize(
    ("strength", "listed", "all_of_them"),
    [("required", 221, 224), ("extensible", 78, 84), ("preferred", 33, 40), ("example", 173, 232)],
)
def test_so_many_bound_value_sets_can_be_listed(strength, listed, all_of_them):
    urls = bound()[strength]
    assert (len(urls) - len(gaps(urls)), len(urls)) == (listed, all_of_them)


def test_of_the_required_ones_two_are_judged_by_grammar_and_one_is_not_published():
    assert gaps(bound()["required"]) == {
        VS + "mimetypes": "system-endless",
        VS + "ucum-units": "system-endless",
        "http://loinc.org/vs/LL379-9": "value-set-unknown",
    }


def test_why_the_others_of_all_value_sets_cannot_be_listed():
    urls = facts.urls("ValueSet")
    found = gaps(urls)
    assert (len(urls) - len(found), len(urls)) == (1220, 1311)
    assert Counter(found.values()) == {
        "system-incomplete": 57,
        "system-unknown": 27,
        "system-endless": 5,
        "value-set-unknown": 2,
    }


@pytest.mark.parametrize(
    ("url", "system", "right", "wrong"),
    [
        (VS + "mimetypes", "urn:ietf:bcp:13", "application/fhir+json", "jpeg"),
        (VS + "ucum-units", "http://unitsofmeasure.org", "mg/dL", "mg/dl/"),
        (VS + "all-languages", "urn:ietf:bcp:47", "zh-Hans-CN", "chinese"),
        (VS + "all-time-units", "http://unitsofmeasure.org", "wk", "kg"),
        (VS + "all-distance-units", "http://unitsofmeasure.org", "[mi_i]", "L"),
        (VS + "currencies", "urn:iso:std:iso:4217", "CNY", "RMB"),
        (VS + "iso3166-1-3", "urn:iso:std:iso:3166", "CHN", "CN"),
        (VS + "timezones", "https://www.iana.org/time-zones", "Asia/Shanghai", "Asia/Peking"),
    ],
)
def test_codes_of_grammars_and_shipped_lists_are_judged(url, system, right, wrong):
    validate = terminology().validate
    answers = validate(url, system, right), validate(url, system, wrong), validate(url, None, right)
    assert answers == (True, False, True)
    assert validate(url, "urn:other", right) is False


def test_codes_of_systems_that_are_not_here_stay_open():
    validate = terminology().validate
    assert validate(VS + "condition-code", "http://snomed.info/sct", "38341003") is None
    assert validate(VS + "service-type", "http://terminology.hl7.org/CodeSystem/service-type", "99999") is None
