"""Places of findings: the line and column of what a FHIRPath expression names, in JSON and in XML."""

import time

import pytest

from fhir_server.errors import Issue, Severity
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.positions import located
from fhir_server.fhir.xml_codec import encode as encode_xml
from fhir_server.fhirpath.model import r4_model

JSON = """{
 "resourceType": "Observation",
 "contained": [{"resourceType": "Patient", "name": [{"family": "a"}]}],
 "_issued": {"extension": [{"url": "x"}]},
 "component": [ {"code": {}},
   {"valueQuantity": {"code": "张", "value": 1.0},
    "valueSampledData": {"\\u0064ata": "] } \\" ,"}, "interpretation": [{}, {"text": "b"}]}],
 "note": [{"text": "a", "_text": {"id": "t"}}],
 "method": {"coding": [{"display": "d", "_display": {"extension": [{"url": "y"}]}}]}
}"""
XML = """<?xml version="1.0"?>
<Observation xmlns="http://hl7.org/fhir">
  <contained><Patient><id value="1"/><name><family value="张"/></name></Patient></contained>
  <issued><extension url="x"/></issued>
  <component><code/></component>
  <component><valueQuantity id="e"><value value="1"/><code value="x"/></valueQuantity></component>
</Observation>"""


def finding(path, line=0):
    return Issue(Severity.ERROR, "invalid", "x", path, {}, line, line)


def place(path, text, root=""):
    (found,) = located([finding(path)], text.encode(), root)
    return found.line, found.column


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("Observation", (1, 1)),
        ("Observation.component", (5, 2)),
        ("Observation.component[0]", (5, 17)),
        ("Observation.component[0].code", (5, 18)),
        ("Observation.component[1]", (6, 4)),
        ("Observation.component[1].value.ofType(Quantity)", (6, 5)),
        ("Observation.component[1].value.ofType(Quantity).code", (6, 23)),
        ("Observation.component[1].value.ofType(Quantity).value", (6, 36)),
        ("Observation.component[1].value.ofType(SampledData).data", (7, 26)),
        ("Observation.component[1].value", (6, 5)),
        ("Observation.component[1].interpretation[1].text", (7, 76)),
        ("Observation.issued", (4, 2)),
        ("Observation.issued.extension[0].url", (4, 29)),
        ("Observation.note[0].text", (8, 12)),
        ("Observation.note[0].text.id", (8, 35)),
        ("Observation.method.coding[0].display.extension[0].url", (9, 69)),
        ("Observation.contained[0].name[0].family", (3, 54)),
        ("Observation.contained[0]/*Patient/1*/.name[0].family", (3, 54)),
        ("resourceType", (2, 2)),
    ],
)
def test_a_path_leads_to_its_key_or_item_in_json(path, wanted):
    assert place(path, JSON) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("Observation", (2, 1)),
        ("Observation.component[0].code", (5, 14)),
        ("Observation.component[1]", (6, 3)),
        ("Observation.component[1].value.ofType(Quantity).code", (6, 54)),
        ("Observation.component[1].value.ofType(Quantity).id", (6, 14)),
        ("Observation.component[1].value", (6, 14)),
        ("Observation.issued.extension[0].url", (4, 11)),
        ("Observation.contained[0]", (3, 3)),
        ("Observation.contained[0].id", (3, 23)),
        ("Observation.contained[0].name[0].family", (3, 44)),
        ("resourceType", (2, 1)),
    ],
)
def test_a_path_leads_to_its_element_in_xml(path, wanted):
    assert place(path, XML) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("Observation.status", (1, 1)),
        ("Observation.component[1].value.ofType(Quantity).unit", (6, 5)),
        ("Observation.component[7].code", (1, 1)),
        ("Observation.component[0].code.coding[0].system", (5, 18)),
        ("Observation.component[0].where(code = 'a').value", (5, 17)),
    ],
)
def test_what_is_missing_has_the_place_of_the_nearest_element_around(path, wanted):
    assert place(path, JSON) == wanted


@pytest.mark.parametrize("path", ["", "If-Match", "birthdate", "component", "Patient.name"])
def test_what_is_not_in_the_text_has_no_place(path):
    assert (place(path, JSON), place(path, XML)) == ((0, 0), (0, 0))


@pytest.mark.parametrize("text", ["", "[1", '{"a": }', "[:}", "<a", "<!DOCTYPE a><a/>", '{"a": "\\q"}'])
def test_a_text_that_cannot_be_read_gives_no_places(text):
    assert place("Observation.code", text) == (0, 0)


def test_a_place_that_is_known_is_kept():
    assert located([finding("Observation.code", 7)], JSON.encode())[0].line == 7


def test_paths_may_start_within_the_text():
    json = '{"resourceType":"Parameters","parameter":[{"name":"resource","resource":' + JSON + "}]}"
    xml = '<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="resource"/><resource>\n'
    xml += XML.partition("?>")[2].strip() + "</resource></parameter></Parameters>"
    root = "Parameters.parameter[0].resource"
    assert place("Observation.component[1]", json, root) == (6, 4)
    assert place("Observation.component[1]", xml, root) == (6, 3)
    assert place("Patient.component[1]", json, root) == (0, 0)


def test_columns_count_characters_not_bytes_and_no_byte_order_mark():
    assert place("Patient.id", '\ufeff{"resourceType":"Patient","language":"中文","id":1}') == (1, 43)


def test_many_findings_in_a_large_text_are_placed_in_a_few_seconds():
    count = 5000
    entries = [{"resource": {"resourceType": "Patient", "name": [{"text": "张"}]}} for _ in range(count)]
    bundle = {"resourceType": "Bundle", "entry": entries}
    found = [finding(f"Bundle.entry[{n}].resource.name[0].text") for n in range(count)]
    for text in (encode(bundle), encode_xml(bundle, r4_model())):
        start = time.process_time()
        columns = [i.column for i in located(found, text)]
        assert time.process_time() - start < 10
        assert len(set(columns)) == count
        assert columns == sorted(columns)
