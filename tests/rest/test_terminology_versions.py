"""Code systems in several versions, of mixed case, in part, and with odd flags, https://hl7.org/fhir/R4/terminology-service.html."""

import pytest

from support.rest import keys_of

CS = "urn:test:system"
VERSIONS = {
    "1": [{"code": "a", "display": "Old a"}, {"code": "gone", "display": "Gone"}],
    "2": [{"code": "a", "display": "New a"}, {"code": "new", "display": "New"}],
}


def code_system(id_, url, concepts, **more: object):
    head = {"resourceType": "CodeSystem", "id": id_, "url": url, "name": "Test", "status": "active"}
    return {**head, "content": "complete", "caseSensitive": True, "concept": concepts, **more}


def value_set(id_, *include, **compose: object):
    head = {"resourceType": "ValueSet", "id": id_, "url": f"urn:test:{id_}", "name": "Test", "status": "active"}
    return {**head, "compose": {"include": list(include), **compose}}


def put(server, *resources):
    for one in resources:
        response = server.put(one)
        assert response.status_code == 201, response.text


@pytest.fixture
def versions(server):
    """Two versions of one code system, and value sets that take the first, the second, and any."""
    put(server, *(code_system(f"cs{v}", CS, concepts, version=v) for v, concepts in VERSIONS.items()))
    put(
        server, *(value_set(f"vs{v}", {"system": CS, "version": v}) for v in VERSIONS), value_set("any", {"system": CS})
    )
    return server


def members(answer):
    assert answer.status_code == 200, answer.text
    return {one["code"]: one.get("display") for one in answer.json()["expansion"].get("contains", [])}


def judged(answer):
    assert answer.status_code == 200, answer.text
    found = {p["name"]: p.get("valueBoolean", p.get("valueString")) for p in answer.json()["parameter"]}
    return found["result"], found.get("display"), found.get("message", "")


@pytest.mark.parametrize(
    ("id_", "names"), [("vs1", {"a": "Old a", "gone": "Gone"}), ("vs2", {"a": "New a", "new": "New"})]
)
def test_displays_are_those_of_the_version_that_the_value_set_takes(versions, id_, names):
    answer = versions.get(f"ValueSet/{id_}/$expand")
    assert members(answer) == names
    expansion = answer.json()["expansion"]
    assert {"name": "version", "valueUri": f"{CS}|{id_[-1]}"} in expansion["parameter"]
    assert {one["version"] for one in expansion["contains"]} == {id_[-1]}


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        (f"any/$expand?system-version={CS}|1", {"a", "gone"}),
        (f"any/$expand?system-version={CS}|2", {"a", "new"}),
        (f"vs2/$expand?system-version={CS}|1", {"a", "new"}),
        (f"vs2/$expand?force-system-version={CS}|1", {"a", "gone"}),
        (f"vs2/$expand?check-system-version={CS}|2", {"a", "new"}),
    ],
)
def test_a_wanted_version_counts_where_none_is_named_and_a_forced_one_always(versions, query, codes):
    assert set(members(versions.get(f"ValueSet/{query}"))) == codes


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        (f"vs2/$expand?check-system-version={CS}|1", 422, "terminology.version-used"),
        (f"any/$expand?system-version={CS}|9", 404, "terminology.version-unknown"),
        (f"vs2/$expand?force-system-version={CS}|9", 404, "terminology.version-unknown"),
    ],
)
def test_another_version_than_wanted_is_refused(versions, query, status, key):
    answer = versions.get(f"ValueSet/{query}")
    assert (answer.status_code, keys_of(answer)) == (status, [key])


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (f"ValueSet/vs1/$validate-code?system={CS}&code=a&display=Old a", (True, "Old a", "")),
        (f"ValueSet/vs1/$validate-code?system={CS}&code=gone&systemVersion=1", (True, "Gone", "")),
        (f"ValueSet/any/$validate-code?system={CS}&code=gone&systemVersion=1", (True, "Gone", "")),
        (f"CodeSystem/$validate-code?url={CS}&code=gone&version=1", (True, "Gone", "")),
        (f"CodeSystem/$validate-code?url={CS}|1&code=a&display=Old a", (True, "Old a", "")),
    ],
)
def test_a_code_is_judged_in_its_version(versions, query, answer):
    assert judged(versions.get(query)) == answer


def test_a_code_that_its_version_does_not_have_is_wrong(versions):
    result, _, message = judged(versions.get(f"CodeSystem/$validate-code?url={CS}&code=new&version=1"))
    assert (result, message) == (False, f"The code new is not in the code system {CS}.")


def test_a_version_that_is_here_and_not_the_value_sets_is_told_as_such(versions):
    result, display, message = judged(versions.get(f"ValueSet/vs2/$validate-code?system={CS}&code=a&systemVersion=1"))
    assert (result, display) == (True, "New a")
    assert message == f"The code comes with version 1 of {CS}; the value set takes version 2, which was used."


def test_an_inactive_code_is_so_in_the_version_that_is_taken(server):
    retired = {"code": "a", "property": [{"code": "status", "valueCode": "retired"}]}
    put(server, code_system("s1", CS, [{"code": "a"}], version="1"), code_system("s2", CS, [retired], version="2"))
    put(server, *(value_set(f"active{v}", {"system": CS, "version": v}, inactive=False) for v in "12"))
    assert [set(members(server.get(f"ValueSet/active{v}/$expand"))) for v in "12"] == [{"a"}, set()]
    answers = (judged(server.get(f"ValueSet/active{v}/$validate-code?system={CS}&code=a"))[0] for v in "12")
    assert list(answers) == [True, False]


# what a system says of its codes


def test_case_counts_nowhere_where_the_system_says_so(server):
    put(server, code_system("mixed", CS, [{"code": "Ab", "concept": [{"code": "Ab1"}]}], caseSensitive=False))
    by = {"system": CS, "filter": [{"property": "concept", "op": "is-a", "value": "AB"}]}
    put(server, value_set("below", by), value_set("all", {"system": CS}))
    assert set(members(server.get("ValueSet/below/$expand?excludeNested=true"))) == {"Ab", "Ab1"}
    for query in (f"ValueSet/all/$validate-code?system={CS}&code=AB", "ValueSet/all/$validate-code?code=aB"):
        assert judged(server.get(query))[0] is True
    group = {
        "source": CS,
        "target": "urn:t",
        "element": [{"code": "Ab", "target": [{"code": "t", "equivalence": "equal"}]}],
    }
    put(
        server, {"resourceType": "ConceptMap", "id": "map", "url": "urn:test:map", "status": "active", "group": [group]}
    )
    assert judged(server.get(f"ConceptMap/map/$translate?system={CS}&code=AB"))[0] is True


@pytest.mark.parametrize(
    "property_", [{"code": "inactive", "valueCode": "true"}, {"code": "status", "valueCode": "retired"}]
)
def test_codes_out_of_use_are_known_however_the_system_says_it(server, property_):
    put(server, code_system("cs", CS, [{"code": "a"}, {"code": "b", "property": [property_]}]))
    by = {"system": CS, "filter": [{"property": "inactive", "op": "=", "value": "true"}]}
    put(server, value_set("active", {"system": CS}, inactive=False), value_set("out", by))
    assert set(members(server.get("ValueSet/active/$expand"))) == {"a"}
    assert set(members(server.get("ValueSet/out/$expand"))) == {"b"}


def test_a_property_means_what_its_uri_says_whatever_its_code(server):
    declared = {"code": "group", "uri": "http://hl7.org/fhir/concept-properties#notSelectable", "type": "boolean"}
    concepts = [{"code": "a", "property": [{"code": "group", "valueBoolean": True}]}, {"code": "b"}]
    put(server, code_system("cs", CS, concepts, property=[declared]), value_set("all", {"system": CS}))
    contains = server.get("ValueSet/all/$expand").json()["expansion"]["contains"]
    assert [(one["code"], one.get("abstract")) for one in contains] == [("a", True), ("b", None)]
    assert judged(server.get(f"CodeSystem/$validate-code?url={CS}&code=a"))[0] is False


def test_a_listed_code_that_its_system_does_not_have_is_no_member(server):
    put(server, code_system("cs", CS, [{"code": "a"}]))
    listed = value_set("listed", {"system": CS, "concept": [{"code": "a"}, {"code": "z"}]})
    assert set(members(server.send("POST", "ValueSet/$expand", listed))) == {"a"}
    given = [{"name": "valueSet", "resource": listed}, {"name": "coding", "valueCoding": {"system": CS, "code": "z"}}]
    answer = server.send("POST", "ValueSet/$validate-code", {"resourceType": "Parameters", "parameter": given})
    assert judged(answer)[0] is False


def test_the_fragment_of_a_system_that_is_here_expands_and_says_that_there_is_more(server):
    put(server, code_system("cs", CS, [{"code": "a"}], content="fragment"), value_set("all", {"system": CS}))
    answer = server.get("ValueSet/all/$expand")
    assert set(members(answer)) == {"a"}
    unclosed = {"url": "http://hl7.org/fhir/StructureDefinition/valueset-unclosed", "valueBoolean": True}
    assert answer.json()["expansion"]["extension"] == [unclosed]
    undecided = server.get(f"ValueSet/all/$validate-code?system={CS}&code=z")
    assert (undecided.status_code, keys_of(undecided)) == (422, ["terminology.system-incomplete"])


# languages


def test_the_usual_display_stays_among_the_designations_where_another_is_shown(server):
    concept = {"code": "a", "display": "Usual", "designation": [{"language": "zh", "value": "常用"}]}
    put(server, code_system("cs", CS, [concept], language="en"), value_set("all", {"system": CS}))
    contains = server.get("ValueSet/all/$expand?displayLanguage=zh&includeDesignations=true").json()["expansion"][
        "contains"
    ]
    told = [{"language": "en", "value": "Usual"}, {"language": "zh", "value": "常用"}]
    assert [(one["display"], one["designation"]) for one in contains] == [("常用", told)]


def test_the_language_of_the_header_is_told_among_the_parameters(server):
    put(server, code_system("cs", CS, [{"code": "a"}]), value_set("all", {"system": CS}))
    told = server.get("ValueSet/all/$expand", accept_language="zh-CN,en;q=0.5").json()["expansion"]["parameter"]
    assert {"name": "displayLanguage", "valueCode": "zh-CN,en"} in told


# what is asked badly


def test_a_coding_without_a_system_is_in_no_value_set(server):
    put(server, code_system("cs", CS, [{"code": "a"}]), value_set("all", {"system": CS}))
    body = {"resourceType": "Parameters", "parameter": [{"name": "coding", "valueCoding": {"code": "a"}}]}
    result, _, message = judged(server.send("POST", "ValueSet/all/$validate-code", body))
    assert (result, "has no system" in message) == (False, True)
    assert judged(server.get("ValueSet/all/$validate-code?code=a"))[0] is True


def test_an_empty_filter_is_none(server):
    put(server, code_system("cs", CS, [{"code": "a"}]), value_set("all", {"system": CS}))
    assert set(members(server.get("ValueSet/all/$expand?filter="))) == {"a"}


def test_an_unknown_system_is_reported_at_the_parameter_that_names_it(server):
    issue = server.get("CodeSystem/$lookup?system=urn:none&code=a").json()["issue"][0]
    assert issue["expression"] == ["system"]


def test_a_source_without_a_target_is_unmapped(server):
    element = [{"code": "a"}, {"code": "b", "target": [{"equivalence": "unmatched", "comment": "none"}]}]
    group = {"source": CS, "target": "urn:t", "element": element, "unmapped": {"mode": "fixed", "code": "other"}}
    put(
        server, {"resourceType": "ConceptMap", "id": "map", "url": "urn:test:map", "status": "active", "group": [group]}
    )
    answers = [judged(server.get(f"ConceptMap/map/$translate?system={CS}&code={code}"))[0] for code in "abc"]
    assert answers == [True, False, True]
