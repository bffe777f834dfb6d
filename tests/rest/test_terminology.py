"""The terminology operations over HTTP, https://hl7.org/fhir/R4/terminology-service.html."""

import threading
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from fhir.resources.R4B.parameters import Parameters
from fhir.resources.R4B.valueset import ValueSet

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.interactions.context import Rules, rule_set
from fhir_server.web.application import web_application
from support.rest import RestServer, keys_of

R4 = "http://hl7.org/fhir/ValueSet/"
GENDER, GENDERS = "http://hl7.org/fhir/administrative-gender", R4 + "administrative-gender"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
STATE = "http://jtys.example/fhir/CodeSystem/contract-status"
CS = "urn:test:cs"
TREE = {
    "resourceType": "CodeSystem", "id": "tree", "url": CS, "version": "1", "status": "active", "content": "complete", "name": "Tree",
    "hierarchyMeaning": "is-a",
    "concept": [
        {"code": "病", "display": "Disease", "property": [{"code": "notSelectable", "valueBoolean": True}], "concept": [
            {"code": "高", "display": "Hypertension", "designation": [{"language": "zh-CN", "value": "高血压"}],
             "concept": [{"code": "继", "display": "Secondary  hypertension"}]},
            {"code": "旧", "display": "Old", "property": [{"code": "inactive", "valueBoolean": True}]},
        ]},
    ],
    "property": [{"code": "notSelectable", "type": "boolean"}, {"code": "inactive", "type": "boolean"}],
}  # fmt: skip
IN_TREE = {"resourceType": "ValueSet", "id": "in-tree", "status": "active", "compose": {"include": [{"system": CS}]}}


def parameters(**given: object):
    """A Parameters body: resources by themselves, others as their JSON key says (`coding=("valueCoding", {...})`)."""
    listed = [{"name": n, "resource": v} if isinstance(v, dict) else {"name": n, v[0]: v[1]} for n, v in given.items()]
    return {"resourceType": "Parameters", "parameter": listed}


@cache
def rules_with_tree():
    """Compiled once: rules change never."""
    return Rules(rule_set(load_definitions().extended([TREE])))


@pytest.fixture
def tree():
    """A server that also knows the code system above."""
    running = RestServer()
    running.parts = replace(running.parts, rules=rules_with_tree())
    transport = httpx.ASGITransport(app=web_application(running.parts))
    running.client = httpx.AsyncClient(transport=transport, base_url="http://test/fhir")
    yield running
    running.close()


def codes(answer):
    def walk(contains):
        return [(c["code"], walk(c["contains"])) if "contains" in c else c["code"] for c in contains]

    body = decode(answer.content)
    assert answer.status_code == 200, body
    ValueSet.model_validate_json(answer.content)
    return walk(body["expansion"].get("contains", []))


def told(answer):
    """The parameters of an answer: name -> value, the last of each."""
    assert answer.status_code == 200, answer.text
    Parameters.model_validate_json(answer.content)
    return {
        p["name"]: next((v for k, v in p.items() if k.startswith("value")), p.get("part"))
        for p in decode(answer.content)["parameter"]
    }


def parts_of(answer, name):
    found = [p["part"] for p in decode(answer.content)["parameter"] if p["name"] == name]
    return [{p["name"]: next(v for k, v in p.items() if k != "name") for p in part} for part in found]


# $expand


def test_a_value_set_of_r4_expands_by_its_url(server):
    answer = server.get(f"ValueSet/$expand?url={GENDERS}")
    assert codes(answer) == ["male", "female", "other", "unknown"]
    expansion = decode(answer.content)["expansion"]
    assert {k: expansion[k] for k in ("identifier", "timestamp", "total", "parameter")} == {
        "identifier": "urn:uuid:id-1",
        "timestamp": "2026-03-01T08:00:00.000Z",
        "total": 4,
        "parameter": [{"name": "url", "valueUri": GENDERS}, {"name": "version", "valueUri": f"{GENDER}|4.0.1"}],
    }


def test_a_page_has_its_offset_and_the_whole_total(server):
    answer = server.get(f"ValueSet/$expand?url={GENDERS}&offset=1&count=2")
    assert codes(answer) == ["female", "other"]
    expansion = decode(answer.content)["expansion"]
    assert (expansion["total"], expansion["offset"]) == (4, 1)
    assert codes(server.get(f"ValueSet/$expand?url={GENDERS}&count=0")) == []


def test_an_expansion_is_a_tree_unless_it_is_asked_to_be_flat_filtered_or_paged(tree):
    post = lambda **more: codes(tree.send("POST", "ValueSet/$expand", parameters(valueSet=IN_TREE, **more)))  # noqa: E731
    assert post() == [("病", [("高", ["继"]), "旧"])]
    assert post(excludeNested=("valueBoolean", True)) == ["病", "高", "继", "旧"]
    assert post(count=("valueInteger", 9)) == ["病", "高", "继", "旧"]
    assert post(activeOnly=("valueBoolean", True)) == [("病", [("高", ["继"])])]
    assert post(excludeNotForUI=("valueBoolean", True)) == [("高", ["继"]), "旧"]
    assert post(filter=("valueString", "HYPER tension")) == ["高", "继"]
    assert post(filter=("valueString", "高血")) == ["高"]
    assert post(**{"exclude-system": ("valueCanonical", CS)}) == []


def test_displays_and_designations_come_in_the_wanted_language(tree):
    body = parameters(valueSet=IN_TREE, filter=("valueString", "高"), displayLanguage=("valueCode", "zh"))
    chosen = {"designation": ("valueString", "urn:ietf:bcp:47|zh-CN")}
    entry = decode(tree.send("POST", "ValueSet/$expand", body).content)["expansion"]["contains"][0]
    assert entry == {"system": CS, "code": "高", "display": "高血压"}
    body = parameters(valueSet=IN_TREE, filter=("valueString", "高"), **chosen)
    entry = decode(tree.send("POST", "ValueSet/$expand", body).content)["expansion"]["contains"][0]
    assert (entry["display"], entry["designation"]) == ("Hypertension", [{"language": "zh-CN", "value": "高血压"}])
    answer = tree.send("POST", "ValueSet/$expand", IN_TREE, accept_language="zh-CN,en;q=0.5")
    assert decode(answer.content)["expansion"]["contains"][0]["contains"][0]["display"] == "高血压"


def test_the_definition_is_part_of_the_answer_when_it_is_asked_for(server):
    plain, whole = (
        decode(server.get(f"ValueSet/$expand?url={GENDERS}{m}").content) for m in ("", "&includeDefinition=true")
    )
    assert "compose" not in plain
    assert whole["compose"] == {"include": [{"system": GENDER}]}


def test_a_stored_value_set_expands_on_its_instance(server):
    value_set = {**IN_TREE, "url": "urn:x", "compose": {"include": [{"system": GENDER, "concept": [{"code": "male"}]}]}}
    server.put(value_set)
    assert codes(server.get("ValueSet/in-tree/$expand")) == ["male"]
    answer = server.get("ValueSet/nobody/$expand")
    assert (answer.status_code, keys_of(answer)) == (404, ["rest.not-found"])


def test_a_value_set_of_our_package_expands(server):
    found = codes(server.get("ValueSet/$expand?url=http://jtys.example/fhir/ValueSet/contract-status"))
    assert "active" in found


def test_an_expansion_over_the_limit_is_422_too_costly_but_its_pages_are_not():
    server = RestServer(max_expansion=3)
    answer = server.get(f"ValueSet/$expand?url={GENDERS}")
    assert (answer.status_code, keys_of(answer)) == (422, ["terminology.too-costly"])
    assert decode(answer.content)["issue"][0]["code"] == "too-costly"
    assert codes(server.get(f"ValueSet/$expand?url={GENDERS}&count=3")) == ["male", "female", "other"]
    assert codes(server.get(f"ValueSet/$expand?url={GENDERS}&filter=male")) == ["male", "female"]
    server.close()


@pytest.mark.parametrize(
    ("query", "status", "keys"),
    [
        ("url=urn:nothing", 404, ["terminology.url-unknown"]),
        (f"url={GENDERS}|9", 404, ["terminology.version-unknown"]),
        (f"url={GENDERS}&valueSetVersion=9", 404, ["terminology.version-unknown"]),
        (f"url={GENDERS}&force-system-version={GENDER}|9", 404, ["terminology.version-unknown"]),
        (f"url={R4}mimetypes", 422, ["terminology.system-endless"]),
        (f"url={R4}condition-code", 422, ["terminology.system-incomplete"]),
        (f"url={R4}cpt-all", 422, ["terminology.system-unknown"]),
        ("", 400, ["terminology.subject-missing"]),
        (f"url={GENDERS}&url={GENDERS}", 400, ["terminology.parameter-repeated"]),
        (
            f"url={GENDERS}&colour=red&context=x&count=-1&activeOnly=yes&offset=many",
            400,
            [
                *("terminology.parameter-unknown", "terminology.parameter-unsupported"),
                *("terminology.parameter-number", "terminology.parameter-type", "terminology.parameter-type"),
            ],
        ),
    ],
)
def test_what_cannot_be_expanded_says_why(server, query, status, keys):
    answer = server.get(f"ValueSet/$expand?{query}")
    assert (answer.status_code, keys_of(answer)) == (status, keys)


def test_the_wanted_version_that_is_loaded_is_taken(server):
    assert len(codes(server.get(f"ValueSet/$expand?url={GENDERS}|4.0.1&system-version={GENDER}|4.0.1"))) == 4


@pytest.mark.parametrize(
    ("body", "status", "key"),
    [
        ({**IN_TREE, "compose": {"include": [{"system": 5}]}}, 422, "validation.json-type"),
        ({"resourceType": "Patient"}, 400, "rest.resource-type-differs"),
        ({"resourceType": "Parameters", "parameter": [{"valueString": "x"}]}, 400, "terminology.parameter-nameless"),
        ({"resourceType": "Parameters", "parameter": [{"name": "count", "valueString": "1"}]}, 400, "terminology.parameter-type"),
        (parameters(valueSet=IN_TREE, url=("valueUri", GENDERS)), 400, "terminology.subject-twice"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(server, body, status, key):
    answer = server.send("POST", "ValueSet/$expand", body)
    assert (answer.status_code, key in keys_of(answer)) == (status, True)


# $validate-code


@pytest.mark.parametrize(
    ("query", "result", "word"),
    [
        (f"url={GENDERS}&system={GENDER}&code=male", True, None),
        (f"url={GENDERS}&code=male&display=MALE", True, None),
        (f"url={GENDERS}&system={GENDER}&code=man", False, "not in the code system"),
        (f"url={GENDERS}&system=urn:x&code=male", False, "not in the value set"),
        (f"url={GENDERS}&system={GENDER}&code=male&display=Mann", False, "expected Male"),
        (f"url={R4}ucum-units&system=http://unitsofmeasure.org&code=mm[Hg]", True, None),
        (f"url={R4}ucum-units&system=http://unitsofmeasure.org&code=mmHg", False, "mmHg"),
        (f"url={R4}mimetypes&code=text/plain;charset=utf-8", True, None),
        (f"url={R4}mimetypes&code=plain", False, "plain"),
        (f"url={GENDERS}&system={GENDER}&code=male&systemVersion=9", True, "version 4.0.1 was used"),
    ],
)
def test_a_code_is_judged_in_a_value_set(server, query, result, word):
    found = told(server.get(f"ValueSet/$validate-code?{query.replace(';', '%3B')}"))
    assert found["result"] is result
    assert "message" not in found if word is None else word in found["message"]


def test_the_display_of_a_right_code_is_told(server):
    assert told(server.get(f"ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code=male"))["display"] == "Male"


def test_messages_are_chinese_for_those_who_ask(server):
    found = told(server.get(f"ValueSet/$validate-code?url={GENDERS}&code=x", accept_language="zh"))
    assert found["message"] == f"代码 x 未给出系统,且在值集 {GENDERS} 的任何系统中都找不到。"


def test_designations_are_right_displays_whatever_their_case_and_spaces(tree):
    for display in ("Hypertension", "hyperTENSION ", "高血压"):
        coding = {"system": CS, "code": "高", "display": display}
        body = parameters(valueSet=IN_TREE, coding=("valueCoding", coding))
        assert told(tree.send("POST", "ValueSet/$validate-code", body))["result"] is True
    coding = {"system": CS, "code": "继", "display": "secondary hypertension"}
    body = parameters(url=("valueUri", CS), coding=("valueCoding", coding))
    assert told(tree.send("POST", "CodeSystem/$validate-code", body))["result"] is True


def test_an_inactive_code_is_valid_with_a_warning_and_an_abstract_one_only_where_it_is_allowed(tree):
    old = told(tree.get(f"CodeSystem/$validate-code?url={CS}&code=旧"))
    assert (old["result"], "inactive" in old["message"]) == (True, True)
    assert told(tree.get(f"CodeSystem/$validate-code?url={CS}&code=病"))["result"] is False
    assert told(tree.get(f"CodeSystem/$validate-code?url={CS}&code=病&abstract=true"))["result"] is True


def test_one_right_coding_is_enough_for_a_concept(server):
    ask = lambda *codings: server.send(  # noqa: E731
        "POST",
        "ValueSet/$validate-code",
        parameters(url=("valueUri", GENDERS), codeableConcept=("valueCodeableConcept", {"coding": list(codings)})),
    )
    wrong, right, other = (
        {"system": GENDER, "code": "m"},
        {"system": GENDER, "code": "male"},
        {"system": "urn:x", "code": "1"},
    )
    assert told(ask(wrong, right, other))["result"] is True
    assert told(ask(wrong, other))["result"] is False
    assert keys_of(ask({"text": "x"})) == ["terminology.code-missing"]


def test_a_code_of_an_unknown_system_is_not_called_wrong(server):
    answer = server.get(f"ValueSet/$validate-code?url={R4}condition-code&system=http://snomed.info/sct&code=38341003")
    assert (answer.status_code, keys_of(answer)) == (422, ["terminology.system-incomplete"])
    answer = server.get("CodeSystem/$validate-code?url=http://loinc.org&code=8480-6")
    assert (answer.status_code, keys_of(answer)) == (404, ["terminology.url-unknown"])


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ("url=http://unitsofmeasure.org&code=mg/dL", True),
        ("url=urn:ietf:bcp:47&code=zh-Hant-TW", True),
        ("url=urn:ietf:bcp:47&code=zz-ZZ-1", False),
        ("url=urn:iso:std:iso:4217&code=CNY&display=人民币", True),
        (f"url={ACT}&code=AMB", True),
        (f"url={ACT}&code=AMBULANT", False),
    ],
)
def test_a_code_is_judged_in_its_code_system(server, query, result):
    assert told(server.get(f"CodeSystem/$validate-code?{query}"))["result"] is result


def test_a_coding_of_another_system_is_wrong(server):
    body = parameters(url=("valueUri", GENDER), coding=("valueCoding", {"system": "urn:x", "code": "male"}))
    found = told(server.send("POST", "CodeSystem/$validate-code", body))
    assert (found["result"], "urn:x" in found["message"]) == (False, True)


def test_an_inline_code_system_judges_its_codes(server):
    body = parameters(codeSystem=TREE, code=("valueCode", "高"))
    assert told(server.send("POST", "CodeSystem/$validate-code", body))["result"] is True
    body = parameters(codeSystem=TREE, code=("valueCode", "低"))
    assert told(server.send("POST", "CodeSystem/$validate-code", body))["result"] is False


# $lookup and $subsumes


def test_lookup_tells_name_version_display_designations_and_properties(tree):
    answer = tree.get(f"CodeSystem/$lookup?system={CS}&code=高")
    found = told(answer)
    assert (found["name"], found["version"], found["display"]) == ("Tree", "1", "Hypertension")
    assert parts_of(answer, "designation") == [{"language": "zh-CN", "value": "高血压"}]
    assert parts_of(answer, "property") == [
        {"code": "parent", "value": "病", "description": "Disease"},
        {"code": "child", "value": "继", "description": "Secondary  hypertension"},
        {"code": "inactive", "value": False},
    ]


def test_lookup_tells_the_properties_that_were_asked_for_in_the_language_that_was(tree):
    answer = tree.get(f"CodeSystem/$lookup?system={CS}&code=高&property=child&property=lang.zh&displayLanguage=zh-CN")
    assert told(answer)["display"] == "高血压"
    assert [one["code"] for one in parts_of(answer, "property")] == ["child"]
    assert len(parts_of(answer, "designation")) == 1


@pytest.mark.parametrize(
    ("query", "display"),
    [
        ("system=http://unitsofmeasure.org&code=mmol/L", "millimole per liter"),
        ("system=urn:ietf:bcp:47&code=zh-CN", "Chinese (China)"),
        ("system=urn:ietf:bcp:47&code=zh-CN&displayLanguage=zh", "中文 (中国)"),
        ("system=urn:iso:std:iso:3166&code=CHN&displayLanguage=zh", "中国"),
        (f"system={ACT}&code=AMB&version=2018-08-12", "ambulatory"),
    ],
)
def test_lookup_knows_grammars_lists_and_r4(server, query, display):
    assert told(server.get(f"CodeSystem/$lookup?{query}"))["display"] == display


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        (f"system={GENDER}&code=x", 404, "terminology.code-unknown"),
        ("system=http://unitsofmeasure.org&code=mmHg", 404, "terminology.code-unknown"),
        ("system=urn:x&code=x", 404, "terminology.url-unknown"),
        ("system=http://snomed.info/sct&code=38341003", 404, "terminology.system-unknown"),
        (f"system={GENDER}&code=male&version=9", 404, "terminology.version-unknown"),
        ("code=x", 400, "terminology.code-missing"),
        (f"system={GENDER}", 400, "terminology.code-missing"),
        (f"system={GENDER}&code=male&date=2020", 400, "terminology.parameter-unsupported"),
    ],
)
def test_lookup_says_what_is_not_known(server, query, status, key):
    answer = server.get(f"CodeSystem/$lookup?{query}")
    assert (answer.status_code, keys_of(answer)) == (status, [key])


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [("高", "高", "equivalent"), ("病", "继", "subsumes"), ("继", "病", "subsumed-by"), ("旧", "高", "not-subsumed")],
)
def test_subsumption_goes_along_the_hierarchy(tree, a, b, outcome):
    assert told(tree.get(f"CodeSystem/$subsumes?system={CS}&codeA={a}&codeB={b}"))["outcome"] == outcome


def test_subsumption_takes_codings_and_a_stored_code_system(tree):
    tree.put(TREE)
    assert told(tree.get("CodeSystem/tree/$subsumes?codeA=病&codeB=高"))["outcome"] == "subsumes"
    codings = {
        name: ("valueCoding", {"system": CS, "code": code}) for name, code in (("codingA", "病"), ("codingB", "高"))
    }
    assert told(tree.send("POST", "CodeSystem/$subsumes", parameters(**codings)))["outcome"] == "subsumes"


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        (f"system={GENDER}&codeA=male&codeB=x", 404, "terminology.code-unknown"),
        (f"system={GENDER}&codeA=male", 400, "terminology.code-missing"),
        ("codeA=male&codeB=male", 400, "terminology.code-missing"),
        ("system=http://unitsofmeasure.org&codeA=m&codeB=km", 422, "terminology.no-hierarchy"),
        ("system=http://snomed.info/sct&codeA=1&codeB=2", 404, "terminology.system-unknown"),
    ],
)
def test_subsumption_says_what_is_not_known(server, query, status, key):
    answer = server.get(f"CodeSystem/$subsumes?{query}")
    assert (answer.status_code, keys_of(answer)) == (status, [key])


# $translate


def test_a_code_is_translated_by_a_map_of_our_package(server):
    url = "http://jtys.example/fhir/ConceptMap/contract-status-to-episode-status"
    answer = server.get(f"ConceptMap/$translate?url={url}&system={STATE}&code=active")
    assert told(answer)["result"] is True
    concept = {"system": "http://hl7.org/fhir/episode-of-care-status", "code": "active", "display": "Active"}
    assert parts_of(answer, "match")[0]["concept"]["code"] == concept["code"]
    assert parts_of(answer, "match")[0]["source"] == url


def test_without_a_map_every_map_from_the_system_is_read(server):
    answer = server.get(f"ConceptMap/$translate?system={GENDER}&code=male")
    assert [
        (m["equivalence"], m["concept"]["system"], m["concept"]["code"], m["concept"]["display"])
        for m in parts_of(answer, "match")
    ] == [
        ("equal", "http://terminology.hl7.org/CodeSystem/v2-0001", "M", "Male"),
        ("equal", "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender", "M", "Male"),
    ]
    narrowed = server.get(
        f"ConceptMap/$translate?system={GENDER}&code=male&targetsystem=http://terminology.hl7.org/CodeSystem/v2-0001"
    )
    assert len(parts_of(narrowed, "match")) == 1


def test_a_map_is_read_backwards(server):
    answer = server.get(
        "ConceptMap/$translate?system=http://terminology.hl7.org/CodeSystem/v2-0001&code=M&reverse=true"
    )
    assert [m["concept"]["code"] for m in parts_of(answer, "match")] == ["male"]


def test_a_code_without_counterpart_is_false_with_a_message(server):
    found = told(server.get(f"ConceptMap/$translate?system={GENDER}&code=x", accept_language="zh"))
    assert found == {"result": False, "message": f"{GENDER} 的代码 x 没有对应代码。"}


def test_a_dependency_chooses_the_targets_that_depend_on_it(server):
    depends = [{"property": "urn:sex", "system": GENDER, "value": "female"}]
    element = {"code": "1", "target": [{"code": "x", "equivalence": "equivalent", "dependsOn": depends}]}
    group = {"source": "urn:s", "target": "urn:t", "element": [element]}
    mapped = {"resourceType": "ConceptMap", "status": "active", "group": [group]}

    def ask(*parts):
        body = parameters(conceptMap=mapped, coding=("valueCoding", {"system": "urn:s", "code": "1"}))
        body["parameter"] += [{"name": "dependency", "part": list(parts)}] if parts else []
        return server.send("POST", "ConceptMap/$translate", body)

    element_part = {"name": "element", "valueUri": "urn:sex"}
    female = {"name": "concept", "valueCodeableConcept": {"coding": [{"system": GENDER, "code": "female"}]}}
    assert told(ask())["result"] is False
    assert told(ask(element_part, female))["result"] is True
    assert keys_of(ask(element_part)) == ["terminology.dependency-parts"]
    assert keys_of(ask({"name": ["x"]}, female)) == ["terminology.dependency-parts"]


def test_an_inline_and_a_stored_map_translate(lenient_server):
    element = {"code": "1", "target": [{"code": "male", "equivalence": "equivalent"}]}
    group = {"source": "urn:s", "target": GENDER, "element": [element]}
    mapped = {"resourceType": "ConceptMap", "id": "m", "url": "urn:m", "status": "active", "group": [group]}
    body = parameters(conceptMap=mapped, coding=("valueCoding", {"system": "urn:s", "code": "1"}))
    assert told(lenient_server.send("POST", "ConceptMap/$translate", body))["result"] is True
    lenient_server.put(mapped)
    assert told(lenient_server.get("ConceptMap/m/$translate?system=urn:s&code=1"))["result"] is True


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        ("system=urn:x&code=1", 404, "terminology.no-map"),
        ("url=urn:nothing&system=urn:x&code=1", 404, "terminology.url-unknown"),
        (f"system={GENDER}", 400, "terminology.code-missing"),
    ],
)
def test_translation_says_what_is_not_known(server, query, status, key):
    answer = server.get(f"ConceptMap/$translate?{query}")
    assert (answer.status_code, keys_of(answer)) == (status, [key])


@pytest.mark.parametrize(
    "path", ["Patient/$expand?url=x", "ValueSet/$lookup?code=x", "CodeSystem/$translate?code=x", "ValueSet/$subsumes"]
)
def test_an_operation_of_another_type_is_404(server, path):
    answer = server.get(path)
    assert (answer.status_code, keys_of(answer)) == (404, ["rest.operation-unknown"])


# another terminology server


class Other(BaseHTTPRequestHandler):
    """Knows every code, and remembers what it was asked; fails when it is told to."""

    def do_POST(self):
        asked = decode(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, asked["parameter"]))
        answer = encode({"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": True}]})
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object):
        pass


@pytest.fixture
def other():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    server.asked, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def asking(other):
    running = RestServer(terminology_server=f"http://127.0.0.1:{other.server_port}/r4")
    yield running
    running.close()


SNOMED = "http://snomed.info/sct"


def test_what_is_not_known_here_is_asked_elsewhere_without_free_text(asking, other):
    concept = {"text": "张三的高血压", "coding": [{"system": SNOMED, "code": "38341003", "userSelected": True}]}
    body = parameters(url=("valueUri", R4 + "condition-code"), codeableConcept=("valueCodeableConcept", concept))
    assert told(asking.send("POST", "ValueSet/$validate-code", body))["result"] is True
    assert other.asked == [
        (
            "/r4/ValueSet/$validate-code",
            [
                {"name": "url", "valueUri": R4 + "condition-code"},
                {
                    "name": "codeableConcept",
                    "valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "38341003"}]},
                },
            ],
        )
    ]


def test_what_is_known_here_is_not_asked_elsewhere(asking, other):
    assert told(asking.get(f"ValueSet/$validate-code?url={GENDERS}&code=man"))["result"] is False
    assert asking.get(f"CodeSystem/$lookup?system={GENDER}&code=man").status_code == 404
    assert other.asked == []


def test_each_operation_asks_elsewhere(asking, other):
    for path in (
        f"CodeSystem/$lookup?system={SNOMED}&code=1&property=parent&displayLanguage=zh",
        f"CodeSystem/$subsumes?system={SNOMED}&codeA=1&codeB=2",
        "ConceptMap/$translate?url=urn:map&system=urn:x&code=1&reverse=true",
        "ValueSet/$expand?url=urn:vs&count=5&exclude-system=urn:y",
    ):
        assert told(asking.get(path))["result"] is True
    assert [path.rpartition("/")[2] for path, _ in other.asked] == ["$lookup", "$subsumes", "$translate", "$expand"]
    assert other.asked[3][1] == [
        {"name": "url", "valueUri": "urn:vs"},
        {"name": "count", "valueInteger": 5},
        {"name": "exclude-system", "valueCanonical": "urn:y"},
    ]


def test_silence_elsewhere_leaves_the_own_answer_with_a_warning(asking, other):
    other.status = 503
    answer = asking.get(f"CodeSystem/$lookup?system={SNOMED}&code=1")
    assert (answer.status_code, keys_of(answer)) == (404, ["terminology.system-unknown", "terminology.server-silent"])
    assert [i["severity"] for i in decode(answer.content)["issue"]] == ["error", "warning"]


def test_a_refusal_elsewhere_leaves_the_own_answer(asking, other):
    other.status = 404
    answer = asking.get(f"CodeSystem/$lookup?system={SNOMED}&code=1")
    assert (answer.status_code, keys_of(answer)) == (404, ["terminology.system-unknown"])
