"""Value sets expanded from the code systems at hand, https://hl7.org/fhir/R4/valueset.html."""

import json

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.terminology import LocalTerminology

CS, VS, LOINC = "http://jtys.test/cs", "http://jtys.test/vs", "http://loinc.org"
CODES = [
    {"code": "a", "display": "A", "concept": [{"code": "b", "concept": [{"code": "c"}]}, {"code": "d"}]},
    {
        "code": "e",
        "display": "E",
        "property": [{"code": "subsumedBy", "valueCode": "d"}, {"code": "kind", "valueCode": "x"}],
    },
]


@pytest.fixture
def terminology_of(tmp_path):
    """Builds a terminology that has the code system above and the value sets vs0, vs1 ... with these composes."""

    def build(*composes: object, content="complete"):
        system = {
            "resourceType": "CodeSystem",
            "id": "cs",
            "url": CS,
            "status": "active",
            "content": content,
            "concept": CODES,
        }
        sets = [
            {"resourceType": "ValueSet", "id": f"vs{n}", "url": f"{VS}{n}", "status": "active", "compose": compose}
            for n, compose in enumerate(composes)
        ]
        for resource in (system, *sets):
            (tmp_path / f"{resource['id']}.json").write_text(json.dumps(resource), "utf-8")
        return LocalTerminology(load_definitions(packages=[tmp_path]))

    return build


def of(codes):
    return frozenset((CS, code) for code in codes)


def only(**include: object):
    return {"include": [include]}


def by(property_, operator, value):
    return only(system=CS, filter=[{"property": property_, "op": operator, "value": value}])


@pytest.mark.parametrize(
    ("compose", "codes"),
    [
        (only(system=CS), "abcde"),
        (only(system=CS, concept=[{"code": "a"}, {"code": "z"}]), "a"),
        (by("concept", "is-a", "a"), "abcde"),
        (by("concept", "is-a", "b"), "bc"),
        (by("concept", "is-a", "d"), "de"),
        (by("concept", "descendent-of", "a"), "bcde"),
        (by("concept", "is-not-a", "b"), "ade"),
        (by("kind", "=", "x"), "e"),
        (by("parent", "=", "a"), "bd"),
        (by("code", "in", "a,e,z"), "ae"),
        ({"include": [{"system": CS}], "exclude": [{"system": CS, "concept": [{"code": "b"}]}]}, "acde"),
        ({"include": [{"system": CS, "concept": [{"code": "a"}]}, {"system": CS, "concept": [{"code": "e"}]}]}, "ae"),
    ],
)
def test_a_value_set_expands_to_its_codes(terminology_of, compose, codes):
    assert terminology_of(compose).expand(f"{VS}0") == of(codes)


def test_several_value_sets_in_one_include_intersect(terminology_of):
    first, second = only(system=CS, concept=[{"code": "a"}, {"code": "b"}]), by("concept", "is-a", "b")
    terminology = terminology_of(only(valueSet=[f"{VS}1", f"{VS}2|1.0"]), first, second)
    assert terminology.expand(f"{VS}0") == of("b")


@pytest.mark.parametrize(
    "compose",
    [
        only(system=LOINC),
        only(system="http://jtys.test/unknown"),
        by("kind-of-nothing", "=", "x"),
        by("parent", "is-a", "a"),
        only(valueSet=["http://jtys.test/unknown"]),
        only(valueSet=[f"{VS}0"]),
        {"include": [{"system": CS}], "exclude": [{"system": LOINC}]},
    ],
)
def test_what_cannot_be_listed_has_no_expansion(terminology_of, compose):
    assert terminology_of(compose).expand(f"{VS}0") is None


def test_an_incomplete_code_system_has_no_expansion(terminology_of):
    terminology = terminology_of(only(system=CS), only(system=CS, concept=[{"code": "a"}]), content="fragment")
    assert terminology.expand(f"{VS}0") is None
    assert terminology.expand(f"{VS}1") == of("a")


def test_an_unknown_value_set_has_no_expansion(terminology_of):
    assert terminology_of().expand("http://jtys.test/unknown") is None


@pytest.mark.parametrize(
    ("system", "code", "answer"),
    [(CS, "a", True), (CS, "z", False), (None, "a", True), (None, "z", False), (LOINC, "a", False)],
)
def test_membership_in_a_listed_value_set(terminology_of, system, code, answer):
    assert terminology_of(only(system=CS)).validate(f"{VS}0", system, code) is answer


@pytest.mark.parametrize(
    ("system", "code", "answer"),
    [
        (CS, "a", True),
        (CS, "z", False),
        (LOINC, "8480-6", None),
        ("urn:x", "a", False),
        (None, "a", True),
        (None, "z", None),
    ],
)
def test_membership_where_only_a_part_is_known(terminology_of, system, code, answer):
    terminology = terminology_of({"include": [{"system": CS}, {"system": LOINC}]})
    assert terminology.validate(f"{VS}0", system, code) is answer


def test_an_exclude_that_is_not_known_leaves_it_open(terminology_of):
    excluded = [
        {"system": CS, "concept": [{"code": "b"}]},
        {"system": CS, "filter": [{"property": "x", "op": "=", "value": "."}]},
    ]
    terminology = terminology_of({"include": [{"system": CS}], "exclude": excluded})
    assert terminology.validate(f"{VS}0", CS, "b") is False
    assert terminology.validate(f"{VS}0", CS, "a") is None


def test_membership_in_an_unknown_value_set_is_unknown(terminology_of):
    assert terminology_of().validate("http://jtys.test/unknown", CS, "a") is None


def test_displays(terminology_of):
    terminology = terminology_of()
    assert terminology.display(CS, "a") == "A"
    assert terminology.display(CS, "b") is None
    assert terminology.display(CS, "z") is None
    assert terminology.display("urn:x", "a") is None


def test_most_bindings_of_r4_can_be_checked_here():
    definitions = load_definitions()
    terminology = LocalTerminology(definitions)
    bound = {
        element.binding.value_set
        for type_ in definitions.model.resources
        for element in definitions.structure_of_type(type_).elements
        if element.binding and element.binding.strength == "required"
    }
    unknown = {url for url in bound if terminology.expand(url) is None}
    assert len(bound) > 200
    assert unknown == {
        "http://hl7.org/fhir/ValueSet/mimetypes|4.0.1",
        "http://hl7.org/fhir/ValueSet/ucum-units|4.0.1",
        "http://loinc.org/vs/LL379-9|4.0.1",
    }
