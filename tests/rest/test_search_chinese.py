"""Chinese names and texts over HTTP: what a clerk types, and who is found. https://hl7.org/fhir/R4/search.html#string"""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import ids_of, keys_of

FORM = "application/x-www-form-urlencoded"

PEOPLE = {
    "wang": [{"text": "王小明"}],
    "wang2": [{"family": "王", "given": ["晓明"]}],
    "zhang": [{"text": "張 三丰"}],
    "ailee": [{"text": "买买提·艾力"}],
    "latin": [{"family": "Müller", "given": ["José"]}],
}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>{}</p></div>'


@pytest.fixture
def filled(lenient_server):
    server = lenient_server
    for id_, name in PEOPLE.items():
        server.put({"resourceType": "Patient", "id": id_, "name": name, "address": [{"text": f"湖南省益阳市{id_}号"}]})
    server.put({"resourceType": "Practitioner", "id": "doctor", "name": [{"text": "单丹"}]})
    for id_, (subject, text, note) in {
        "o1": ("wang", "患者高血压，头晕", "氨氯地平片 5mg"),
        "o2": ("zhang", "患者血压正常", "高脂血症；无头晕"),
        "o3": ("wang2", "SBP 150 mm[Hg]", "复诊"),
    }.items():
        server.put(
            {
                "resourceType": "Observation",
                "id": id_,
                "status": "final",
                "text": {"status": "generated", "div": DIV.format(text)},
                "code": {"text": "收缩压"},
                "subject": {"reference": f"Patient/{subject}"},
                "note": [{"text": note}],
            }
        )
    server.put({"resourceType": "Observation", "id": "o4", "status": "final", "code": {"text": "心率"}})
    return server


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("name=王小明", ["wang"]),
        ("name=小明", ["wang"]),
        ("name=明", ["wang", "wang2"]),
        ("name=王", ["wang", "wang2"]),
        ("name=张三", ["zhang"]),
        ("name=張三豐", ["zhang"]),
        ("name=三丰", ["zhang"]),
        ("name=买买提 艾力", ["ailee"]),
        ("name=買買提", ["ailee"]),
        ("name=ller", []),
        ("name=MUL", ["latin"]),
        ("name:contains=ller", ["latin"]),
        ("name:exact=王小明", ["wang"]),
        ("name:exact=小明", []),
        ("address=益阳", sorted(PEOPLE)),
        ("address=市zhang", ["zhang"]),
        ("name:contains=晓,三丰", ["wang2", "zhang"]),
        ("phonetic=wangxiaoming", ["wang", "wang2"]),
        ("phonetic=wang xiao ming", ["wang", "wang2"]),
        ("phonetic=wangx", ["wang", "wang2"]),
        ("phonetic=wxm", ["wang", "wang2"]),
        ("phonetic=zsf", ["zhang"]),
        ("phonetic=maimaiti", ["ailee"]),
        ("phonetic=mueller", []),
        ("phonetic=muller", ["latin"]),
        ("_content=王小明", ["wang"]),
        ("_has:Observation:subject:_content=头晕", ["wang", "zhang"]),
    ],
)
def test_patients_found(filled, query, ids):
    assert sorted(ids_of(filled.get(f"Patient?{query}"))) == ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("_content=高血压", ["o1"]),
        ("_content=血压", ["o1", "o2"]),
        ("_content=头晕 患者", ["o1", "o2"]),
        ("_text=头晕", ["o1"]),
        ('_text="患者高血压"', ["o1"]),
        ("_text=氨氯地平", []),
        ("_content=5mg OR 复诊", ["o1", "o3"]),
        ("_content=5mg,复诊", ["o1", "o3"]),
        ("_content=收縮壓", ["o1", "o2", "o3"]),
        ("_content=头晕&subject=Patient/zhang", ["o2"]),
        ("_text=sbp&_content=复诊", ["o3"]),
        ("_text:missing=true", ["o4"]),
        ("_text:missing=false", ["o1", "o2", "o3"]),
        ("_content:missing=true", []),
        ("subject:Patient.phonetic=wxm", ["o1", "o3"]),
        ("subject:Patient._content=益阳 小明", ["o1"]),
        ("subject:Patient.name=明", ["o1", "o3"]),
    ],
)
def test_observations_found(filled, query, ids):
    assert sorted(ids_of(filled.get(f"Observation?{query}"))) == ids


def test_practitioners_are_found_by_the_reading_of_their_surname(filled):
    found = [ids_of(filled.get(f"Practitioner?phonetic={typed}")) for typed in ("shandan", "sd", "dandan")]
    assert found == [["doctor"], ["doctor"], []]


def test_patients_are_sorted_by_pinyin(filled):
    assert ids_of(filled.get("Patient?_sort=phonetic")) == ["ailee", "latin", "wang", "wang2", "zhang"]


def test_an_update_and_a_deletion_take_words_and_names_away(filled):
    filled.put({"resourceType": "Patient", "id": "ailee", "name": [{"text": "古丽"}]})
    filled.send("DELETE", "Observation/o1")
    queries = [
        "Patient?name=艾力",
        "Patient?phonetic=mai",
        "Patient?_content=艾力",
        "Patient?name=古丽",
        "Observation?_content=头晕",
    ]
    assert [ids_of(filled.get(query)) for query in queries] == [[], [], [], ["ailee"], ["o2"]]


def test_a_page_of_words_has_a_total_and_a_self_link(filled):
    bundle = decode(filled.get("Observation?_content=血压&_count=1&_total=accurate").content)
    assert (bundle["total"], len(bundle["entry"])) == (2, 1)
    assert "_content=" in bundle["link"][0]["url"]


@pytest.mark.parametrize("query", ["_content=！", "_text=OR", "_content:exact=a", "_text:missing=maybe"])
def test_what_leaves_no_word_is_400(filled, query):
    assert filled.get(f"Observation?{query}").status_code == 400


def test_a_name_in_gbk_is_refused_and_not_searched_for(filled):
    refusals = [filled.get("Patient?name=%CD%F5"), filled.get("Patient?name=王&%CD%F5=1")]
    refusals.append(filled.send("POST", "Patient/_search", b"name=%CD%F5", content_type=FORM))
    refusals.append(filled.send("POST", "Patient/_search", "name=王".encode("gb18030"), content_type=FORM))
    assert [(answer.status_code, keys_of(answer)) for answer in refusals] == [(400, ["rest.parameter-not-utf8"])] * 4
    found = filled.send("POST", "Patient/_search", "name=王".encode(), content_type=FORM)
    assert sorted(ids_of(found)) == ["wang", "wang2"]
