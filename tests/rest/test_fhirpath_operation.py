"""POST /fhir/$fhirpath, https://github.com/brianpos/fhirpath-lab/blob/master/server-api.md."""

from time import process_time

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "name": [{"use": "official", "given": ["小", "明"]}, {"text": "明"}],
    "birthDate": "1950-05",
    "_birthDate": {"extension": [{"url": "http://e.example/x", "valueString": "y"}]},
    "contact": [{"name": {"text": "母亲"}}],
    "multipleBirthInteger": 2,
}
JSON_VALUE = "http://fhir.forms-lab.com/StructureDefinition/json-value"


def question(expression, resource=PATIENT, *more):
    asked = [{"name": "expression", "valueString": expression}, {"name": "resource", "resource": resource}, *more]
    return {"resourceType": "Parameters", "parameter": asked}


def ask(server, expression, resource=PATIENT, *more, **headers: str):
    return server.send("POST", "$fhirpath", question(expression, resource, *more), **headers)


def results(answer):
    assert answer.status_code == 200, answer.content
    return [p for p in decode(answer.content)["parameter"] if p["name"] == "result"]


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("name.given", [{"name": "string", "valueString": "小"}, {"name": "string", "valueString": "明"}]),
        ("active", [{"name": "boolean", "valueBoolean": True}]),
        ("1.50 + 1", [{"name": "decimal", "valueDecimal": 2.50}]),
        ("multipleBirth", [{"name": "integer", "valueInteger": 2}]),
        ("birthDate", [{"name": "date", "valueDate": "1950-05", "_valueDate": PATIENT["_birthDate"]}]),
        ("name[1]", [{"name": "HumanName", "valueHumanName": {"text": "明"}}]),
        ("4 'mg'", [{"name": "Quantity", "valueQuantity": {"value": 4, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}]),
        ("contact", [{"name": "Patient#contact", "extension": [{"url": JSON_VALUE, "valueString": '{"name":{"text":"母亲"}}'}]}]),
        ("@2024-05-01T10", [{"name": "dateTime", "extension": [{"url": JSON_VALUE, "valueString": '"2024-05-01T10"'}]}]),
        ("''", [{"name": "empty-string"}]),
        ("type()", [{"name": "TypeInfo", "extension": [{"url": JSON_VALUE, "valueString": '{"namespace":"FHIR","name":"Patient"}'}]}]),
        ("%resource", [{"name": "Patient", "resource": PATIENT}]),
    ],
)  # fmt: skip
def test_every_item_is_a_part_named_by_its_type(server, expression, parts):
    assert results(ask(server, expression)) == [{"name": "result", "part": parts}]


def test_no_items_are_a_result_without_parts(server):
    assert results(ask(server, "deceased")) == [{"name": "result"}]


def test_each_item_of_the_context_has_its_own_result(server):
    context = {"name": "context", "valueString": "name"}
    found = results(ask(server, "%context.given.count() + %resource.name.count()", PATIENT, context))
    assert [(r["valueString"], r["part"]) for r in found] == [
        ("name[0]", [{"name": "integer", "valueInteger": 4}]),
        ("name[1]", [{"name": "integer", "valueInteger": 2}]),
    ]


def test_variables_have_the_type_of_their_value(server):
    variables = {
        "name": "variables",
        "part": [
            {"name": "day", "valueDate": "2024-05-01"},
            {"name": "given", "valueString": "小"},
            {"name": "given", "valueString": "明"},
            {"name": "other", "resource": {"resourceType": "Group", "id": "g"}},
        ],
    }
    expression = "(%day + 1 day).toString() & %given.count().toString() & %other.id & (%other is Group).toString()"
    (found,) = results(ask(server, expression, PATIENT, variables))
    assert found["part"] == [{"name": "string", "valueString": "2024-05-022gtrue"}]


def test_trace_is_told_to_whoever_asked(server):
    (found,) = results(ask(server, "name.trace('all', given).count()"))
    given = [{"name": "string", "valueString": "小"}, {"name": "string", "valueString": "明"}]
    assert found["part"] == [
        {"name": "integer", "valueInteger": 2},
        {"name": "trace", "valueString": "all", "part": given},
    ]


def test_the_question_is_repeated(server):
    (asked,) = [p for p in decode(ask(server, "id").content)["parameter"] if p["name"] == "parameters"]
    parts = {p["name"]: p for p in asked["part"]}
    assert (parts["expression"]["valueString"], parts["resource"]["resource"]) == ("id", PATIENT)
    assert parts["evaluator"]["valueString"].endswith("(R4)")


def test_a_bare_resource_goes_with_the_expression_in_the_url(server):
    answer = server.send("POST", "$fhirpath?expression=name.given.count()&context=%24this", PATIENT)
    assert results(answer) == [
        {"name": "result", "valueString": "$this[0]", "part": [{"name": "integer", "valueInteger": 2}]}
    ]


def test_a_resource_may_come_as_json_in_an_extension(server):
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "expression", "valueString": "id"},
            {"name": "resource", "extension": [{"url": JSON_VALUE, "valueString": '{"resourceType":"Patient","id":"x"}'}]},
        ],
    }  # fmt: skip
    assert results(server.send("POST", "$fhirpath", body))[0]["part"] == [{"name": "id", "valueId": "x"}]


def test_conforms_to_asks_the_validator(server):
    core = "http://hl7.org/fhir/StructureDefinition/"
    for profile in (f"{core}Patient", f"{core}Group"):  # R4's own types are compiled when first met, which costs once
        server.send("POST", f"$validate?profile={profile}", PATIENT)
    expression = f"conformsTo('{core}Patient') and conformsTo('{core}Group').not()"
    assert results(ask(server, expression))[0]["part"] == [{"name": "boolean", "valueBoolean": True}]
    answer = ask(server, "conformsTo('http://e.example/none')")
    assert (answer.status_code, keys_of(answer)) == (422, ["fhirpath.profile-unknown"])


@pytest.mark.parametrize(
    ("expression", "status", "key", "place"),
    [
        ("name.given +", 400, "fhirpath.syntax", "[1,13]"),
        ("name\n  .where(use =\n  nope())", 400, "fhirpath.function-unknown", "[3,3]"),
        ("name.is(Nobody)", 400, "fhirpath.type-unknown", "[1,6]"),
        ("active and\nname.single().exists()", 422, "fhirpath.not-single", "[2,6]"),
        ("%nobody", 422, "fhirpath.variable-unknown", "[1,1]"),
        ("'a' + 1", 422, "fhirpath.wrong-type", "[1,5]"),
    ],
)
def test_a_failure_says_where_in_the_expression(server, expression, status, key, place):
    answer = ask(server, expression)
    (issue,) = decode(answer.content)["issue"]
    assert (answer.status_code, issue["details"]["coding"][0]["code"], issue["diagnostics"]) == (status, key, place)
    assert issue["expression"] == ["expression"]


def test_a_failure_is_told_in_chinese_too(server):
    answer = ask(server, "name.single()", accept_language="zh-CN")
    assert "expression 第 1 行第 6 列" in decode(answer.content)["issue"][0]["details"]["text"]


@pytest.mark.parametrize("name", ["validate", "strict"])
def test_unknown_elements_are_empty_unless_validation_is_asked_for(server, name):
    assert results(ask(server, "name.nmae")) == [{"name": "result"}]
    answer = ask(server, "name.nmae", PATIENT, {"name": name, "valueBoolean": True})
    assert (answer.status_code, keys_of(answer)) == (400, ["fhirpath.element-unknown"])


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": PATIENT}]},
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "expression", "valueString": "id"}, {"name": "resource", "valueString": "x"}],
        },
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": 5},
        {"resourceType": "Parameters", "parameter": [{"name": ["expression"], "valueString": "id"}]},
        PATIENT,
    ],
)
def test_an_expression_and_what_is_named_resource_are_needed(server, body):
    answer = server.send("POST", "$fhirpath", body)
    assert (answer.status_code, keys_of(answer)) == (400, ["fhirpath.parameter-missing"])


def test_without_a_resource_the_input_is_empty(server):
    body = {"resourceType": "Parameters", "parameter": [{"name": "expression", "valueString": "1 + 1 | %resource.id"}]}
    answer = server.send("POST", "$fhirpath", body)
    assert results(answer) == [{"name": "result", "part": [{"name": "integer", "valueInteger": 2}]}]
    assert [p["name"] for p in decode(answer.content)["parameter"][0]["part"]] == ["evaluator", "expression"]


def test_there_is_no_fhirpath_on_a_type(server):
    assert keys_of(server.send("POST", "Patient/$fhirpath", question("id"))) == ["rest.operation-unknown"]


MANY = {"resourceType": "Patient", "name": [{"text": str(n)} for n in range(3000)]}


@pytest.mark.parametrize(
    "expression",
    [
        f"'{'a' * 40}!'.matches('^(a|aa)+$')",
        f"'{'a' * 40}!'.matchesFull('(a|aa)+')",
        f"'{'a' * 40}!'.replaceMatches('(a|aa)+b', 'x')",
        "(1|2|3|4|5|6|7|8|9|10).aggregate($total.combine($total).combine($total).combine($total).combine($total), 1 | 2 | 3)",
        "1.repeat($this + 1)",
        "1.repeatAll($this)",
        "name.select(%resource.name.select(%resource.name.text))",
        "name.where(%resource.name.where(%resource.name.text = 'x').exists())",
        "name.all(%resource.name.distinct().exists())",
        "name ~ name.tail().combine(name.first())",
        "'x'.replace('', 'y').replace('', '" + "z" * 2000 + "').replace('', '" + "z" * 2000 + "')",
        "'" + "ab" * 4000 + "'.replaceMatches('', 'x')" + ".replaceMatches('.', '$0$0$0$0$0$0')" * 5,
        "name.sort(%resource.name.select(text).count(), text)",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("frozen")
def test_a_costly_expression_ends_within_a_second(server, expression):
    started = process_time()
    answer = ask(server, expression, MANY)
    assert (answer.status_code, keys_of(answer)) == (400, ["fhirpath.too-costly"])
    assert process_time() - started < 1


@pytest.mark.parametrize("expression", ["(" * 200 + "1" + ")" * 200, "1" + " + 1" * 8000, "'" + "a" * 20_000 + "'"])
def test_a_long_or_deep_expression_is_refused(server, expression):
    answer = ask(server, expression)
    assert (answer.status_code, keys_of(answer)) == (400, ["fhirpath.too-large"])


def truth(server, expression, *more):
    (found,) = results(ask(server, expression, {**PATIENT, "gender": "female"}, *more))
    return [p["valueBoolean"] for p in found.get("part", [])]


def test_an_element_conforms_to_its_data_type(server):
    types = "http://hl7.org/fhir/StructureDefinition/"
    assert truth(server, f"name[0].conformsTo('{types}HumanName')") == [True]
    assert truth(server, f"name[0].conformsTo('{types}Address')") == [False]
    assert keys_of(ask(server, "name[0].conformsTo('urn:x')")) == ["fhirpath.profile-unknown"]


def test_member_of_asks_the_terminology(server):
    genders = "http://hl7.org/fhir/ValueSet/administrative-gender"
    assert truth(server, f"gender.memberOf('{genders}')") == [True]
    assert truth(server, f"'girl'.memberOf('{genders}')") == [False]
    unknown = ask(server, "id.memberOf('http://e.example/none')")
    assert (unknown.status_code, keys_of(unknown)) == (422, ["fhirpath.value-set-unknown"])
    assert truth(server, "gender.memberOf({})") == truth(server, "deceased.memberOf('http://e.example/none')") == []
    coding = {"system": "http://hl7.org/fhir/administrative-gender", "code": "male"}
    concept = {"name": "c", "valueCodeableConcept": {"coding": [{"system": "urn:x", "code": "male"}, coding]}}
    variables = {"name": "variables", "part": [concept, {"name": "x", "valueCoding": {**coding, "system": "urn:x"}}]}
    assert truth(server, f"%c.memberOf('{genders}')", variables) == [True]
    assert truth(server, f"%x.memberOf('{genders}')", variables) == [False]


def test_subsumes_asks_the_terminology(server):
    system = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
    parts = [{"name": n, "valueCoding": {"system": system, "code": n}} for n in ("FAMMEMB", "CHILD", "nothing")]
    variables = {
        "name": "variables",
        "part": [*parts, {"name": "other", "valueCoding": {"system": "urn:x", "code": "CHILD"}}],
    }
    assert truth(server, "%FAMMEMB.subsumes(%CHILD)", variables) == [True]
    assert truth(server, "%CHILD.subsumes(%FAMMEMB)", variables) == [False]
    assert truth(server, "%CHILD.subsumedBy(%FAMMEMB)", variables) == [True]
    assert truth(server, "%CHILD.subsumes(%CHILD)", variables) == [True]
    assert truth(server, "%CHILD.subsumes(%other)", variables) == [False]
    assert truth(server, "%CHILD.subsumes(%nothing)", variables) == []
