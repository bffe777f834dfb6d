"""$graphql, https://hl7.org/fhir/R4/graphql.html."""

from typing import Any
from urllib.parse import quote

import pytest

from fhir_server.fhir.json_codec import decode


def put(server, type_, id_, **elements: Any):
    response = server.put({"resourceType": type_, "id": id_, **elements})
    assert response.status_code in (200, 201), response.text


@pytest.fixture
def server(lenient_server):
    put(lenient_server, "Organization", "centre", name="卫生服务中心")
    put(
        lenient_server,
        "Patient",
        "p",
        identifier=[{"system": "urn:oid:1.2.36", "value": "12345"}],
        active=True,
        name=[
            {"use": "official", "given": ["Peter", "James"], "family": "Chalmers"},
            {"use": "usual", "given": ["Jim"]},
            {"use": "maiden", "given": ["Peter", "James"], "family": "Windsor"},
        ],
        birthDate="1974-12-25",
        _birthDate={"extension": [{"url": "http://e.example/time", "valueDateTime": "1974-12-25T14:35:45+08:00"}]},
        managingOrganization={"reference": "Organization/centre"},
        contained=[{"resourceType": "Practitioner", "id": "dr", "name": [{"text": "李"}]}],
        generalPractitioner=[{"reference": "#dr"}, {"reference": "http://elsewhere.example/fhir/Practitioner/1"}],
    )
    put(lenient_server, "Patient", "q", name=[{"family": "Wang"}])
    for n in range(5):
        put(lenient_server, "Condition", f"c{n}", subject={"reference": "Patient/p"}, code={"text": f"病{n}"})
    return lenient_server


def ask(server, query, at="$graphql", **more: Any):
    rest = "".join(f"&{name}={quote(value)}" for name, value in more.items())
    return server.get(f"{at}?query={quote(query)}{rest}")


def data(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/json")
    answer = decode(response.content)
    assert set(answer) == {"data"}
    return answer["data"]


def refusal(response):
    """The status, and the key of each error's OperationOutcome."""
    answer = decode(response.content)
    assert answer["data"] is None
    issues = [error["extensions"]["resource"]["issue"] for error in answer["errors"]]
    return response.status_code, [issue["details"]["coding"][0]["code"] for (issue,) in issues]


OF_P = "Patient/p/$graphql"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{birthDate active}", {"birthDate": "1974-12-25", "active": True}),
        (
            "{_birthDate{extension{valueDateTime}}}",
            {"_birthDate": {"extension": [{"valueDateTime": "1974-12-25T14:35:45+08:00"}]}},
        ),
        ("{name(use: official){family}}", {"name": [{"family": "Chalmers"}]}),
        ('{name(use: "usual"){given family}}', {"name": [{"given": ["Jim"], "family": None}]}),
        ('{name(fhirpath: "family.empty()"){use}}', {"name": [{"use": "usual"}]}),
        ("{name(_offset: 1, _count: 1){use}}", {"name": [{"use": "usual"}]}),
        ("{n: name(use: maiden){f: family}}", {"n": [{"f": "Windsor"}]}),
        ("{resourceType __typename}", {"resourceType": "Patient", "__typename": "Patient"}),
        ("{name(use: nickname){text}}", {"name": []}),
        ("{contact{name{text}}}", {"contact": None}),
    ],
)
def test_fields_of_one_resource_are_selected_and_filtered(server, query, expected):
    assert data(ask(server, query, OF_P)) == expected


# The examples of the specification's chapter on data flattening
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "{identifier @flatten{system value} active name @flatten{text given family}}",
            {
                "system": ["urn:oid:1.2.36"],
                "value": ["12345"],
                "active": True,
                "given": ["Peter", "James", "Jim", "Peter", "James"],
                "family": ["Chalmers", "Windsor"],
            },
        ),
        (
            "{name @flatten{given @first family}}",
            {"given": ["Peter", "Jim", "Peter"], "family": ["Chalmers", "Windsor"]},
        ),
        (
            "{identifier @flatten{system @singleton value @singleton} name @flatten @first{given family @singleton}}",
            {"system": "urn:oid:1.2.36", "value": "12345", "given": ["Peter", "James"], "family": "Chalmers"},
        ),
        (
            '{name @flatten @slice(path: "use"){given family @singleton}}',
            {
                "given.official": ["Peter", "James"],
                "family.official": "Chalmers",
                "given.usual": ["Jim"],
                "given.maiden": ["Peter", "James"],
                "family.maiden": "Windsor",
            },
        ),
        (
            '{name @flatten @slice(path: "$index"){given @first @singleton family @singleton}}',
            {"given.0": "Peter", "family.0": "Chalmers", "given.1": "Jim", "given.2": "Peter", "family.2": "Windsor"},
        ),
        ("{name @first{use}}", {"name": [{"use": "official"}]}),
        ("{name(use: usual) @singleton{given}}", {"name": {"given": ["Jim"]}}),
        ("{active @skip(if: true) birthDate @include(if: true)}", {"birthDate": "1974-12-25"}),
    ],
)
def test_directives_reorganise_the_answer(server, query, expected):
    assert data(ask(server, query, OF_P)) == expected


def test_a_singleton_of_several_values_is_an_error(server):
    assert refusal(ask(server, "{name @flatten{family @singleton}}", OF_P)) == (400, ["graphql.singleton"])


def test_a_slice_needs_one_name_for_each_item(server):
    assert refusal(ask(server, '{name @slice(path: "family"){use}}', OF_P)) == (400, ["graphql.slice-name"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "{managingOrganization{resource{id ... on Organization{name}}}}",
            {"managingOrganization": {"resource": {"id": "centre", "name": "卫生服务中心"}}},
        ),
        (
            "{managingOrganization{resource(type: Organization){name}}}",
            {"managingOrganization": {"resource": {"name": "卫生服务中心"}}},
        ),
        (
            "{managingOrganization{resource(type: Practitioner){active}}}",
            {"managingOrganization": {"resource": None}},
        ),
        (
            "{generalPractitioner{resource(optional: true){... on Practitioner{name{text}}}}}",
            {"generalPractitioner": [{"resource": {"name": [{"text": "李"}]}}, {"resource": None}]},
        ),
    ],
)
def test_references_are_followed(server, query, expected):
    assert data(ask(server, query, OF_P)) == expected


def test_contained_resources_may_be_of_any_type(server):
    put(
        server,
        "Basic",
        "b",
        code={"text": "x"},
        contained=[{"resourceType": "Substance", "id": "s", "status": "active"}],
    )
    query = "{contained{resourceType id ... on Substance{status}}}"
    expected = {"contained": [{"resourceType": "Substance", "id": "s", "status": "active"}]}
    assert data(ask(server, query, "Basic/b/$graphql")) == expected
    assert data(ask(server, "{contained{id}}", "Basic/b/$graphql")) == {"contained": [{"id": "s"}]}


def test_a_reference_that_leads_nowhere_is_an_error_unless_optional(server):
    response = ask(server, "{generalPractitioner{resource{id}}}", OF_P)
    assert refusal(response) == (404, ["graphql.reference-unresolved"])


def test_what_refers_to_a_resource_is_listed(server):
    found = data(ask(server, "{ConditionList(_reference: patient, _count: 2){code{text}}}", OF_P))
    assert found == {"ConditionList": [{"code": {"text": "病0"}}, {"code": {"text": "病1"}}]}
    nested = '{PatientList(_id: "p"){ConditionConnection(_reference: subject){count}}}'
    assert data(ask(server, nested)) == {"PatientList": [{"ConditionConnection": {"count": 5}}]}


def test_only_types_that_can_refer_to_a_resource_have_lists_below_it(server):
    assert refusal(ask(server, "{OrganizationList(_reference: x){id}}", OF_P)) == (400, ["graphql.invalid"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{Patient(id: q){id}}", {"Patient": {"id": "q"}}),
        ('{PatientList(family: "wang"){id}}', {"PatientList": [{"id": "q"}]}),
        ("{PatientList(_id: [p, q, nobody]){id}}", {"PatientList": [{"id": "p"}, {"id": "q"}]}),
        ("{PatientList(fhirpath: \"name.family = 'Wang'\"){id}}", {"PatientList": [{"id": "q"}]}),
        ('{PatientList(birthdate: "ge1974", _sort: "-_id"){id}}', {"PatientList": [{"id": "p"}]}),
        (
            '{PatientList(_filter: "family eq \\"Chalmers\\" or _id eq q"){id}}',
            {"PatientList": [{"id": "p"}, {"id": "q"}]},
        ),
        ('{PatientList(_filter: "family eq \\"Chalmers, Q\\""){id}}', {"PatientList": []}),
        ("{PatientList(general_practitioner: nobody){id}}", {"PatientList": []}),
        ('{PatientList(family: "wang,chalmers"){id}}', {"PatientList": []}),
        (
            "fragment n on HumanName{family} {a: Patient(id: q){name{...n}} b: Patient(id: p){name(use: usual){...n}}}",
            {"a": {"name": [{"family": "Wang"}]}, "b": {"name": [{"family": None}]}},
        ),
    ],
)
def test_resources_are_read_and_searched(server, query, expected):
    assert data(ask(server, query)) == expected


def test_a_connection_leads_from_page_to_page_and_back(server):
    told = "count offset pagesize first previous next last edges{mode resource{id}}"
    page = data(ask(server, f"{{ConditionConnection(patient: p, _count: 2, _sort: _id){{{told}}}}}"))
    page = page["ConditionConnection"]
    seen = []
    while page:
        ids = [e["resource"]["id"] for e in page["edges"]]
        seen.append((page["count"], page["offset"], page["pagesize"], ids))
        last, token = page, page["next"]
        page = (
            token and data(ask(server, f'{{ConditionConnection(_cursor: "{token}"){{{told}}}}}'))["ConditionConnection"]
        )
    assert seen == [(5, 0, 2, ["c0", "c1"]), (5, 2, 2, ["c2", "c3"]), (5, 4, 2, ["c4"])]

    def ids_at(relation):
        found = data(ask(server, f'{{ConditionConnection(_cursor: "{last[relation]}"){{{told}}}}}'))
        found = found["ConditionConnection"]
        return found["offset"], [e["resource"]["id"] for e in found["edges"]]

    assert ids_at("previous") == (2, ["c2", "c3"])
    assert ids_at("first") == (0, ["c0", "c1"])


def test_a_cursor_stands_alone_and_cannot_be_made_up(server):
    assert refusal(ask(server, '{PatientConnection(_cursor: "x", name: "y"){count}}')) == (
        400,
        ["graphql.cursor-alone"],
    )
    assert refusal(ask(server, '{PatientConnection(_cursor: "eA"){count}}')) == (400, ["search.page-invalid"])


def test_variables_and_operation_names_are_taken_from_the_url_and_from_json(server):
    query = "query one($id: ID!){Patient(id: $id){id}} query all{PatientList{id}}"
    expected = {"Patient": {"id": "q"}}
    assert data(ask(server, query, variables='{"id":"q"}', operationName="one")) == expected
    body = {"query": query, "variables": {"id": "q"}, "operationName": "one"}
    assert data(server.send("POST", "$graphql", body, content_type="application/json")) == expected


def test_a_body_may_be_the_query_itself_or_parameters(server):
    text = b"{Patient(id: q){name{family}}}"
    expected = {"Patient": {"name": [{"family": "Wang"}]}}
    assert data(server.send("POST", "$graphql", text, content_type="application/graphql; charset=utf-8")) == expected
    body = {"resourceType": "Parameters", "parameter": [{"name": "query", "valueString": text.decode()}]}
    assert data(server.send("POST", "$graphql", body)) == expected


def test_accept_does_not_matter(server):
    response = server.get(f"$graphql?query={quote('{Patient(id: q){id}}')}", accept="application/graphql-response+json")
    assert data(response) == {"Patient": {"id": "q"}}


@pytest.mark.parametrize(
    ("query", "status", "keys"),
    [
        ("{Patient(id", 400, ["graphql.malformed"]),
        ("{Patient(id: p){colour}}", 400, ["graphql.invalid"]),
        ("{Patient{id}}", 400, ["graphql.invalid"]),
        ("{Patient(id: p)}", 400, ["graphql.invalid"]),
        ("{Ghost(id: p){id}}", 400, ["graphql.invalid"]),
        ("{PatientList(colour: red){id}}", 400, ["graphql.invalid"]),
        ("{PatientList(_include: x){id}}", 400, ["graphql.invalid"]),
        ("{Patient(id: p){...missing}}", 400, ["graphql.invalid"]),
        ("fragment a on Patient{...a} {Patient(id: p){...a}}", 400, ["graphql.invalid"]),
        ("{Patient(id: p){id @blink}}", 400, ["graphql.invalid"]),
        ("query($n: String!){PatientList(name: $n){id}}", 400, ["graphql.invalid"]),
        ("{PatientList(_id: []){id}}", 400, ["rest.parameter-invalid"]),
        ("{PatientList(name: {a: 1}){id}}", 400, ["rest.parameter-invalid"]),
        ("{PatientList(birthdate: yesterday){id}}", 400, ["search.value-date"]),
        ("{Patient(id: nobody){id}}", 404, ["rest.not-found"]),
        ('{Patient(id: p){name(fhirpath: "("){use}}}', 400, ["fhirpath.syntax"]),
        ("mutation{PatientDelete(id: p){id}}", 400, ["graphql.reads-only"]),
        ("query a{Patient(id: p){id}} query b{Patient(id: p){id}}", 400, ["graphql.operation-missing"]),
        (" ", 400, ["operation.parameter-missing"]),
        ("{" + "a{" * 25 + "a" + "}" * 26, 400, ["graphql.too-deep"]),
        ("{" + "a " * 6000 + "}", 400, ["graphql.too-long"]),
        ("{Patient(id: p){" + "id " * 2100 + "}}", 400, ["graphql.too-many-fields"]),
        (
            "".join(f"fragment f{n} on Patient{{...f{n + 1} ...f{n + 1}}} " for n in range(30))
            + "fragment f30 on Patient{id} {Patient(id: p){...f0}}",
            400,
            ["graphql.too-many-fields"],
        ),
    ],
)
def test_what_cannot_be_answered_is_an_error_in_graphql_form(server, query, status, keys):
    assert refusal(ask(server, query)) == (status, keys)


def test_an_error_tells_its_place_and_speaks_chinese(server):
    url = f"$graphql?query={quote('{Patient(id: p){id colour}}')}"
    (error,) = decode(server.get(url, accept_language="zh-CN").content)["errors"]
    assert error["locations"] == [{"line": 1, "column": 20}]
    assert error["message"].startswith("GraphQL 查询无效：")


def test_an_unknown_parameter_is_refused_by_name(server):
    assert refusal(server.get("$graphql?query={a}&colour=red")) == (400, ["rest.parameter-unknown"])
    assert refusal(server.get(f"Patient/nobody/$graphql?query={quote('{id}')}")) == (404, ["rest.not-found"])


def test_a_list_that_is_too_long_is_refused_rather_than_cut():
    from support.rest import RestServer

    small = RestServer(validation="off", max_count=3)
    try:
        for n in range(4):
            put(small, "Patient", f"p{n}")
        assert refusal(ask(small, "{PatientList{id}}")) == (400, ["graphql.list-too-long"])
        assert len(data(ask(small, "{PatientList(_count: 2){id}}"))["PatientList"]) == 2
    finally:
        small.close()


def test_reading_too_much_is_refused():
    from support.rest import RestServer

    small = RestServer(validation="off", max_included=3)
    try:
        for n in range(4):
            put(small, "Patient", f"p{n}")
        assert refusal(ask(small, "{PatientList{id}}")) == (400, ["graphql.too-many-resources"])
    finally:
        small.close()


def test_too_many_searches_are_refused(server):
    many = "".join(f"a{n}: PatientList{{id}} " for n in range(201))
    assert refusal(ask(server, f"{{{many}}}"))[1] == ["graphql.too-many-searches"]


def test_the_schema_describes_itself(server):
    answer = data(ask(server, '{__type(name: "PatientContact"){name fields{name type{name}}}}'))["__type"]
    fields = {f["name"]: f["type"]["name"] for f in answer["fields"]}
    assert (answer["name"], fields["name"], fields["gender"]) == ("PatientContact", "HumanName", "code")


def test_a_syntax_error_tells_its_place(server):
    (error,) = decode(ask(server, "{Patient(id: p){\n id ").content)["errors"]
    assert error["locations"] == [{"line": 2, "column": 5}]
