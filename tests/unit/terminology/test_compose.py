"""Value sets beyond the plain ones: imports, supplements, stored expansions, grammars, https://hl7.org/fhir/R4/valueset.html."""

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.terminology import LocalTerminology
from fhir_server.terminology.compose import Gap, Pair

CS, MIME, UCUM = "urn:cs", "urn:ietf:bcp:13", "http://unitsofmeasure.org"
DEFINITIONS = load_definitions()
SYSTEM = {
    "resourceType": "CodeSystem", "id": "cs", "url": CS, "version": "2", "status": "active", "content": "complete", "valueSet": "urn:all",
    "caseSensitive": False,
    "concept": [
        {"code": "A", "display": "Alpha"},
        {"code": "B", "display": "Beta", "property": [{"code": "inactive", "valueBoolean": True}]},
        {"code": "long", "display": "a" * 60 + "!"},
    ],
}  # fmt: skip
SUPPLEMENT = {
    "resourceType": "CodeSystem", "id": "cs-zh", "url": "urn:cs-zh", "status": "active", "content": "supplement", "supplements": CS + "|2",
    "language": "zh-CN", "concept": [{"code": "A", "display": "甲", "property": [{"code": "rank", "valueInteger": 1}]}],
    "property": [{"code": "rank", "type": "integer"}],
}  # fmt: skip


def value_set(name, *include, **more: object):
    compose = {"compose": {"include": list(include)}} if include else {}
    return {"resourceType": "ValueSet", "id": name, "url": f"urn:{name}", "status": "active", **compose, **more}


def terminology(*value_sets):
    return LocalTerminology(DEFINITIONS.extended([SYSTEM, SUPPLEMENT, *value_sets]))


def codes(local, url):
    members = local.composer.members_of(url)
    return members.key if isinstance(members, Gap) else "".join(pair.code for pair in members)


def test_the_value_set_that_a_code_system_names_has_all_its_codes():
    assert codes(terminology(), "urn:all") == "ABlong"


def test_compose_inactive_false_leaves_inactive_codes_out():
    one = value_set("one", {"system": CS})
    one["compose"]["inactive"] = False
    local = terminology(one)
    assert codes(local, "urn:one") == "Along"
    assert local.validate("urn:one", CS, "B") is False


def test_a_supplement_adds_names_and_properties():
    concept = terminology().concept(CS, "A")
    assert (concept.display, concept.designations, concept.properties) == (
        "Alpha",
        ({"language": "zh-CN", "value": "甲"},),
        {"rank": (1,)},
    )
    assert (
        codes(
            terminology(value_set("r", {"system": CS, "filter": [{"property": "rank", "op": "=", "value": "1"}]})),
            "urn:r",
        )
        == "A"
    )


@pytest.mark.parametrize(("code", "answer"), [("A", True), ("a", True), ("c", False)])
def test_case_does_not_count_where_the_system_says_so(code, answer):
    local = terminology(value_set("listed", {"system": CS, "concept": [{"code": "A"}]}))
    assert local.validate("urn:all", CS, code) is answer
    assert local.validate("urn:listed", CS, code) is answer


def test_a_stored_expansion_serves_where_there_is_no_compose():
    contains = [
        {"system": CS, "code": "g", "abstract": True, "contains": [{"system": "urn:x", "code": "1", "display": "One"}]},
        {"display": "group", "contains": [{"system": "urn:x", "code": "2"}]},
    ]
    whole = value_set("whole", expansion={"timestamp": "2026-01-01", "contains": contains})
    page = value_set("page", expansion={"timestamp": "2026-01-01", "total": 5, "contains": contains})
    local = terminology(whole, page, value_set("nothing"))
    assert codes(local, "urn:whole") == "12"
    assert local.validate("urn:whole", "urn:x", "2") is True
    assert local.validate("urn:whole", "urn:x", "3") is False
    assert codes(local, "urn:page") == "terminology.empty"
    assert codes(local, "urn:nothing") == "terminology.empty"


def test_a_stored_expansion_serves_where_the_compose_cannot_be_computed():
    stored = {"timestamp": "2026-01-01", "contains": [{"system": "http://snomed.info/sct", "code": "1"}]}
    local = terminology(value_set("sct", {"system": "http://snomed.info/sct"}, expansion=stored))
    assert codes(local, "urn:sct") == "1"
    assert local.validate("urn:sct", "http://snomed.info/sct", "2") is False


def test_value_sets_that_include_each_other_have_no_members():
    a, b = value_set("a", {"valueSet": ["urn:b"]}), value_set("b", {"valueSet": ["urn:a"]}, {"system": CS})
    local = terminology(a, b)
    assert codes(local, "urn:a") == "terminology.circular"
    assert local.validate("urn:a", CS, "A") is True
    assert local.validate("urn:a", CS, "Z") is None
    assert local.systems_of(a) == (CS,)


def test_a_deep_and_a_wide_web_of_imports_are_read_once_each():
    web = [value_set(f"w{n}", {"valueSet": [f"urn:w{n + 1}"]}, {"valueSet": [f"urn:w{n + 1}"]}) for n in range(40)]
    chain = [value_set(f"c{n}", {"valueSet": [f"urn:c{n + 1}"]}) for n in range(2000)]
    local = terminology(*web, value_set("w40", {"system": CS}), *chain, value_set("c2000", {"system": CS}))
    assert codes(local, "urn:w0") == "ABlong"
    assert local.contains(local.sources.value_set("urn:w0"), UCUM, "m") is False
    assert codes(local, "urn:c0") == "terminology.circular"
    assert codes(local, "urn:c1990") == "ABlong"


def test_a_regular_expression_without_end_makes_a_gap():
    filters = [{"property": "display", "op": "regex", "value": "(a|aa)+"}]
    local = terminology(value_set("slow", {"system": CS, "filter": filters}))
    assert codes(local, "urn:slow") == "terminology.filter-too-costly"
    assert local.validate("urn:slow", CS, "long") is None
    assert local.validate("urn:slow", CS, "A") is False


@pytest.mark.parametrize(
    ("filters", "code", "answer"),
    [
        ([], "text/plain", True),
        ([], "plain", False),
        ([{"property": "code", "op": "regex", "value": "image/.*"}], "image/png", True),
        ([{"property": "code", "op": "regex", "value": "image/.*"}], "text/plain", False),
        ([{"property": "code", "op": "in", "value": "text/plain,image/png"}], "image/png", True),
        ([{"property": "code", "op": "not-in", "value": "text/plain"}], "text/plain", False),
        ([{"property": "concept", "op": "is-a", "value": "image"}], "image/png", None),
    ],
)
def test_a_grammar_is_judged_code_by_code(filters, code, answer):
    local = terminology(value_set("mime", {"system": MIME, "filter": filters}))
    assert codes(local, "urn:mime") == "terminology.system-endless"
    assert local.validate("urn:mime", MIME, code) is answer


def test_a_unit_is_judged_by_what_it_measures():
    filters = [{"property": "canonical", "op": "=", "value": "mg/dL"}]
    local = terminology(value_set("density", {"system": UCUM, "filter": filters}))
    assert [local.validate("urn:density", UCUM, code) for code in ("g/L", "mol/L")] == [True, False]


@pytest.mark.parametrize(
    ("code", "is_code"),
    [
        ("application/fhir+json", True), ("text/plain; charset=utf-8", True), ('text/plain; name="a b"', True), ("IMAGE/PNG", True),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", True),
        ("json", True), ("text", False), ("text/", False), ("foo/bar", False), ("text/plain;", False), ("text/a b", False),
    ],
)  # fmt: skip
def test_a_mime_type_follows_its_grammar(code, is_code):
    assert terminology(value_set("m", {"system": MIME})).validate("urn:m", MIME, code) is is_code


def test_members_carry_what_the_value_set_says_of_them():
    one = value_set("one", {"system": CS, "concept": [{"code": "A", "display": "First"}]})
    assert terminology(one).composer.members_of("urn:one") == {Pair(CS, "A"): {"code": "A", "display": "First"}}


def test_systems_with_a_bar_in_their_url_are_found():
    assert len(terminology().expand("http://terminology.hl7.org/ValueSet/v2-2.4-0006")) > 10


def test_strangers_urls_and_versions_leave_nothing_behind(monkeypatch):
    monkeypatch.setattr("fhir_server.terminology.local.MAX_REMEMBERED", 10)
    one = terminology()
    for n in range(30):
        assert one.system(f"urn:{n}") is None
        assert one.system(f"{CS}|{n}x") is one.system(CS)
        assert one.validate(f"urn:{n}", CS, "A") is None
        assert one.validate(f"urn:all|{n}", CS, "A") is True
    assert set(one.composer._systems) == {CS}
    assert max(len(one._expansions), len(one._open_sets)) <= 10
