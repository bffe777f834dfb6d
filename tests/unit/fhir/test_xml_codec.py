"""Reading and writing FHIR XML: each rule that XML adds, with the place of what breaks it."""

from decimal import Decimal

import pytest

from fhir_server.errors import BadStructure, NotAcceptable
from fhir_server.fhir.json_codec import MAX_DEPTH
from fhir_server.fhir.json_codec import decode as decode_json
from fhir_server.fhir.json_codec import encode as encode_json
from fhir_server.fhir.xml_codec import decode, encode, read
from fhir_server.fhir.xml_tree import MAX_ELEMENTS
from fhir_server.fhirpath.model import r4_model

MODEL = r4_model()
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def xml(content, type_="Patient"):
    return f'<{type_} xmlns="http://hl7.org/fhir">{content}</{type_}>'.encode()


def patient(content):
    found = decode(xml(content), MODEL)
    assert found.pop("resourceType") == "Patient"
    return found


def findings(content, type_="Patient"):
    return [(i.key, i.path) for i in read(xml(content, type_), MODEL).issues]


def refusal(data):
    with pytest.raises(BadStructure) as refused:
        read(data, MODEL)
    (found,) = refused.value.issues
    return found


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("", {}),
        ('<id value="1"/><active value="true"/>', {"id": "1", "active": True}),
        ('<deceasedBoolean value="false"/>', {"deceasedBoolean": False}),
        ('<multipleBirthInteger value="2"/>', {"multipleBirthInteger": 2}),
        ('<name><given value="a"/><given value="b"/></name>', {"name": [{"given": ["a", "b"]}]}),
        ('<name id="n"><text value="x"/></name>', {"name": [{"id": "n", "text": "x"}]}),
        ('<birthDate id="b" value="2000"/>', {"birthDate": "2000", "_birthDate": {"id": "b"}}),
        (
            '<birthDate><extension url="u"><valueCode value="c"/></extension></birthDate>',
            {"_birthDate": {"extension": [{"url": "u", "valueCode": "c"}]}},
        ),
        (
            '<name><given value="a"/><given id="g"/><given value="c"/></name>',
            {"name": [{"given": ["a", None, "c"], "_given": [None, {"id": "g"}, None]}]},
        ),
        ('<name><given id="g"/></name>', {"name": [{"_given": [{"id": "g"}]}]}),
        (
            '<contained><Group><id value="g"/></Group></contained>',
            {"contained": [{"resourceType": "Group", "id": "g"}]},
        ),
        ('<name><text value=" a&#10;b&amp;&#x4E2D; "/></name>', {"name": [{"text": " a\nb&中 "}]}),
        ('<!-- a --><?b c?><active value="true"><!-- d --></active>\n ', {"active": True}),
    ],
)
def test_xml_says_what_json_would(content, wanted):
    assert patient(content) == wanted


@pytest.mark.parametrize(
    "text", ["1.00", "1e3", "-0.0", "1", "123456789012345678901234567890", "0.0000000000001", "1E-22"]
)
def test_a_decimal_keeps_its_text(text):
    data = xml(f'<valueQuantity><value value="{text}"/></valueQuantity>', "Observation")
    assert encode_json(decode(data, MODEL)["valueQuantity"]) == f'{{"value":{text}}}'.encode()
    assert encode(decode(data, MODEL), MODEL).endswith(data)


def test_a_number_is_of_the_type_that_json_gives():
    made = decode(xml('<valueQuantity><value value="5"/></valueQuantity>', "Observation"), MODEL)
    assert type(made["valueQuantity"]["value"]) is int
    made = decode(xml('<valueQuantity><value value="5.0"/></valueQuantity>', "Observation"), MODEL)
    assert made["valueQuantity"]["value"] == Decimal("5.0")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("multipleBirthInteger", "abc"),
        ("multipleBirthInteger", "01"),
        ("multipleBirthInteger", "1.5"),
        ("multipleBirthInteger", ""),
        ("multipleBirthInteger", "9" * 5000),
        ("active", "yes"),
        ("active", "1"),
        ("birthDate", ""),
    ],
)
def test_a_value_that_its_type_cannot_be_stays_text(name, text):
    assert patient(f'<{name} value="{text}"/>') == {name: text}


@pytest.mark.parametrize("text", ["1,2", ".5", "01", "1e999999999", "NaN", "1." + "0" * 100_000])
def test_a_decimal_that_is_none_stays_text(text):
    data = xml(f'<valueQuantity><value value="{text}"/></valueQuantity>', "Observation")
    assert decode(data, MODEL)["valueQuantity"]["value"] == text


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ('<active value="true"/><id value="1"/>', [("xml.order", "Patient.id")]),
        (
            '<birthDate value="2000"/><name/><active value="true"/><address/>',
            [("xml.order", "Patient.name"), ("xml.order", "Patient.active")],
        ),
        ('<active value="true"/><active value="true"/>', [("xml.repeated", "Patient.active")]),
        ('<active value="true"/><gender value="male"/><active value="true"/>', [("xml.repeated", "Patient.active")]),
        ('<foo value="1"/>', [("xml.element-unknown", "Patient")]),
        ("<contact><name><foo/></name></contact>", [("xml.element-unknown", "Patient.contact[0].name")]),
        ('<valueString value="1"/>', [("xml.element-unknown", "Patient")]),
        ("<active/>", [("xml.value-missing", "Patient.active")]),
        ("<name><given/></name>", [("xml.value-missing", "Patient.name[0].given[0]")]),
        ('<active value="true">yes</active>', [("xml.text", "Patient.active")]),
        ("x<name/>", [("xml.text", "Patient")]),
        ('<active value="true" x="1"/>', [("xml.attribute-unknown", "Patient.active")]),
        ('<name url="1"/>', [("xml.attribute-unknown", "Patient.name[0]")]),
        ('<name value="1"/>', [("xml.attribute-unknown", "Patient.name[0]")]),
        ('<name xml:lang="zh"/>', [("xml.attribute-unknown", "Patient.name[0]")]),
        ('<name><id value="1"/></name>', [("xml.element-is-attribute", "Patient.name[0]")]),
        ('<extension><url value="u"/></extension>', [("xml.element-is-attribute", "Patient.extension[0]")]),
        ('<active value="true"><foo/></active>', [("xml.element-unknown", "Patient.active")]),
        ('<name xmlns="urn:x"><text value="a"/></name>', [("xml.namespace", "Patient.name[0]")]),
        ("<text><div/></text>", [("xml.namespace", "Patient.text.div")]),
        ('<name xmlns="http://www.w3.org/1999/xhtml"/>', [("xml.namespace", "Patient.name[0]")]),
        ("<contained/>", [("xml.resource-container", "Patient.contained[0]")]),
        ("<contained><Group/><List/></contained>", [("xml.resource-container", "Patient.contained[0]")]),
        ("<contained><Foo/></contained>", [("xml.resource-unknown", "Patient.contained[0]")]),
        ('<contained><Group id="1"/></contained>', [("xml.attribute-unknown", "Patient.contained[0]")]),
        ("<deceasedBoolean/>", [("xml.value-missing", "Patient.deceased.ofType(boolean)")]),
    ],
)
def test_what_only_xml_can_get_wrong_is_found(content, wanted):
    assert findings(content) == wanted


def test_two_types_of_one_choice_are_left_to_validation():
    made = patient('<deceasedDateTime value="2000"/><deceasedBoolean value="true"/>')
    assert made == {"deceasedDateTime": "2000", "deceasedBoolean": True}


def test_hints_for_schema_tools_are_not_read():
    data = b'<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"/>'
    assert decode(data, MODEL) == {"resourceType": "Patient"}


def test_a_wrong_namespace_is_told_once():
    found = read(b'<Patient><name><text value="a"/></name></Patient>', MODEL)
    assert [i.key for i in found.issues] == ["xml.namespace"]
    assert found.resource == {"resourceType": "Patient", "name": [{"text": "a"}]}


def test_a_namespace_may_have_a_prefix():
    data = b'<f:Patient xmlns:f="http://hl7.org/fhir"><f:active value="true"/></f:Patient>'
    assert decode(data, MODEL) == {"resourceType": "Patient", "active": True}


def test_a_finding_has_the_place_of_its_element():
    data = '<Patient xmlns="http://hl7.org/fhir">\n <name>\n  <text value="张"/><foo/>\n </name>\n</Patient>'.encode()
    assert [(i.line, i.column) for i in read(data, MODEL).issues] == [(3, 20)]


def test_decode_tells_all_findings_at_once():
    with pytest.raises(BadStructure) as refused:
        decode(xml("<foo/><bar/>"), MODEL)
    assert [i.params["name"] for i in refused.value.issues] == ["foo", "bar"]


def test_findings_end_at_a_hundred():
    found = read(xml("<foo/>" * 5000), MODEL).issues
    assert [i.key for i in found] == ["xml.element-unknown"] * 100 + ["xml.too-many-findings"]


def test_a_root_that_is_no_resource_is_refused():
    assert refusal(b'<Foo xmlns="http://hl7.org/fhir"/>').key == "xml.resource-unknown"
    with pytest.raises(BadStructure) as refused:
        read(b"<html/>", MODEL)
    assert [i.key for i in refused.value.issues] == ["xml.namespace", "xml.resource-unknown"]


@pytest.mark.parametrize(
    ("data", "key", "place"),
    [
        (b"", "xml.malformed", (1, 1)),
        (b"<Patient>", "xml.malformed", (1, 10)),
        (b"<Patient>\n <a></b>", "xml.malformed", (2, 7)),
        (b"<Patient>&nbsp;</Patient>", "xml.malformed", (1, 10)),
        (b"<Patient>\x00</Patient>", "xml.malformed", (1, 10)),
        (b"<Patient/><Patient/>", "xml.malformed", (1, 11)),
        ('<Patient x="张\n'.encode() + b'\xff"/>', "xml.malformed", (2, 1)),
        (b"<x:Patient/>", "xml.malformed", (1, 1)),
        (b'<!DOCTYPE a SYSTEM "file:///a">\n<Patient/>', "xml.doctype", (1, 31)),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Patient/>', "xml.doctype", (1, 13)),
        (b'<?xml version="1.0" encoding="GBK"?><Patient/>', "xml.encoding", (1, 1)),
        ("<Patient/>".encode("utf-16"), "xml.encoding", (1, 1)),
        (xml("<a>" * MAX_DEPTH), "xml.too-deep", (1, 335)),
        (xml("<a/>" * (MAX_ELEMENTS * 2)), "xml.too-many", (1, 1)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_safe_xml_is_refused_with_its_place(data, key, place):
    found = refusal(data)
    assert (found.key, found.severity, (found.line, found.column)) == (key, "fatal", place)


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "us-ascii"])
def test_a_declaration_may_say_utf_8(encoding):
    data = f'\ufeff<?xml version="1.0" encoding="{encoding}"?>'.encode() + xml("")
    assert decode(data, MODEL) == {"resourceType": "Patient"}


@pytest.mark.parametrize(
    "div",
    [
        f"{DIV}a</div>",
        f"{DIV}<p>a &lt; b &#160;<!-- c --> <br/> </p>\r\n</div>",
        '<div xmlns="http://www.w3.org/1999/xhtml"/>',
        f'{DIV}<p xml:lang="zh" title=">">张</p></div >',
    ],
)
def test_a_narrative_is_kept_as_it_is_written(div):
    data = xml(f'<text><status value="generated"/>{div}</text>')
    made = decode(data, MODEL)
    assert made["text"] == {"status": "generated", "div": div}
    assert encode(made, MODEL).endswith(data)


@pytest.mark.parametrize(
    ("around", "div", "wanted"),
    [
        (
            'xmlns:h="http://www.w3.org/1999/xhtml"',
            '<h:div><h:p class="&quot;a">x &lt; y</h:p><h:br/></h:div>',
            f"{DIV}<p class='\"a'>x &lt; y</p><br/></div>",
        ),
        (
            'xmlns:h="http://www.w3.org/1999/xhtml"',
            f'{DIV}<h:p xml:lang="zh">x</h:p></div>',
            f'{DIV}<p xml:lang="zh">x</p></div>',
        ),
    ],
)
def test_a_narrative_that_leans_on_its_surroundings_is_written_anew(around, div, wanted):
    data = f'<Patient xmlns="http://hl7.org/fhir" {around}><text>{div}</text></Patient>'.encode()
    assert decode(data, MODEL)["text"]["div"] == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({}, "/>"),
        ({"active": True}, '><active value="true"/></Patient>'),
        ({"birthDate": "2000", "active": False}, '><active value="false"/><birthDate value="2000"/></Patient>'),
        (
            {"name": [{"text": "a<b>&\"'\n\t中"}]},
            '><name><text value="a&lt;b>&amp;&quot;\'&#xA;&#x9;中"/></name></Patient>',
        ),
        ({"name": [{"id": "n"}]}, '><name id="n"/></Patient>'),
        (
            {"extension": [{"valueString": "a", "url": "u", "id": "e"}]},
            '><extension id="e" url="u"><valueString value="a"/></extension></Patient>',
        ),
        (
            {"_birthDate": {"extension": [{"url": "u"}], "id": "b"}, "birthDate": "2000"},
            '><birthDate value="2000" id="b"><extension url="u"/></birthDate></Patient>',
        ),
        (
            {"name": [{"given": ["a", None], "_given": [None, {"id": "g"}]}]},
            '><name><given value="a"/><given id="g"/></name></Patient>',
        ),
        ({"contained": [{"resourceType": "Group"}]}, "><contained><Group/></contained></Patient>"),
    ],
)
def test_xml_is_written_in_the_order_of_the_definitions(content, wanted):
    head = '<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"'
    assert encode({"resourceType": "Patient", **content}, MODEL).decode() == head + wanted


def test_pretty_xml_leaves_narratives_alone():
    div = f"{DIV}<p>a</p> b</div>"
    resource = {"resourceType": "Patient", "text": {"div": div}, "name": [{"given": ["a"]}]}
    wanted = f"""<?xml version="1.0" encoding="UTF-8"?>
<Patient xmlns="http://hl7.org/fhir">
  <text>
    {div}
  </text>
  <name>
    <given value="a"/>
  </name>
</Patient>"""
    assert encode(resource, MODEL, pretty=True).decode() == wanted
    assert decode(wanted.encode(), MODEL) == resource


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"foo": 1}, "Patient"),
        ({"name": "x"}, "Patient.name"),
        ({"name": ["x"]}, "Patient.name[0]"),
        ({"name": [{"foo": 1}]}, "Patient.name[0]"),
        ({"active": {}}, "Patient.active"),
        ({"active": [True]}, "Patient.active"),
        ({"name": [{"text": "a\x01"}]}, "Patient.name[0].text"),
        ({"name": [{"text": "\ufffe"}]}, "Patient.name[0].text"),
        ({"_name": [{}]}, "Patient.name[0]"),
        ({"_birthDate": {"foo": 1}}, "Patient.birthDate"),
        ({"extension": [{"url": "u", "_url": {"id": "a"}}]}, "Patient.extension[0]"),
        ({"text": {"div": "<p>"}}, "Patient.text.div"),
        ({"text": {"div": "<div>a</div>"}}, "Patient.text.div"),
        ({"text": {"div": f"{DIV}a</div><div/>"}}, "Patient.text.div"),
        ({"text": {"div": f'<!DOCTYPE a [<!ENTITY b "c">]>{DIV}&b;</div>'}}, "Patient.text.div"),
        ({"text": {"div": None}}, "Patient.text.div"),
        ({"contained": [{"resourceType": "Foo"}]}, "Patient.contained[0]"),
        ({"contained": [{}]}, "Patient.contained[0]"),
    ],
)
def test_what_has_no_form_in_xml_is_refused_with_its_path(content, path):
    with pytest.raises(NotAcceptable) as refused:
        encode({"resourceType": "Patient", **content}, MODEL)
    assert [(i.key, i.path) for i in refused.value.issues] == [("xml.not-writable", path)]


def test_a_resource_without_a_known_type_is_not_written():
    with pytest.raises(NotAcceptable):
        encode({"resourceType": "Foo"}, MODEL)


def test_json_at_its_deepest_can_be_written():
    item = {"linkId": "1"}
    for _ in range(40):
        item = {"linkId": "1", "item": [item]}
    resource = {"resourceType": "Questionnaire", "item": [item]}
    assert decode(encode(resource, MODEL), MODEL) == decode_json(encode_json(resource)) == resource
