"""What a StructureDefinition says, against its base and R4."""

import pytest

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
R4 = "http://hl7.org/fhir/StructureDefinition/"
URL = "http://jtys.test/StructureDefinition/x"


def structure(*elements: object, view="differential", **more: object):
    base = {
        "resourceType": "StructureDefinition",
        "url": URL,
        "name": "X",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": R4 + "Patient",
        "derivation": "constraint",
    }
    first = {"id": "Patient", "path": "Patient"}
    listed = [{"id": e["path"], **e} for e in elements]
    listed = listed if listed and "." not in listed[0]["path"] else [first, *listed]
    return {**base, view: {"element": listed}, **more}


def errors(check, resource, policy=STRICT):
    mine = check(resource, policy=policy)
    return {(k.removeprefix("validation."), p.removeprefix("StructureDefinition.")) for s, k, p in mine if s == "error"}


def test_a_plain_profile_is_fine(check):
    element = {"path": "Patient.name", "min": 1, "mustSupport": True}
    assert errors(check, structure(element)) == set()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"kind": "complex-type"}, {("base-kind", "kind")}),
        ({"type": "Person"}, {("base-type", "type")}),
        ({"derivation": "specialization"}, {("base-type-same", "type")}),
        ({"baseDefinition": URL + "y"}, set()),
        ({"context": [{"type": "element", "expression": "Patient"}]}, {("context-no-extension", "context")}),
    ],
)
def test_kind_type_and_derivation_fit_the_base(check, more, expected):
    found = errors(check, structure({"path": "Patient.name", "min": 1}, **more))
    assert {one for one in found if one[0].startswith(("base", "context"))} == expected


E0 = "differential.element[1]"


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"path": "Patient.link.other", "min": 0}, {("narrow-min", E0 + ".min")}),
        ({"path": "Patient.link.other", "min": 1}, set()),
        ({"path": "Patient.gender", "max": "*"}, {("narrow-max", E0 + ".max")}),
        ({"path": "Patient.gender", "max": "0"}, set()),
        ({"path": "Patient.gender", "type": [{"code": "string"}]}, {("narrow-type", E0 + ".type[0]")}),
        ({"path": "Patient.birthDate", "fixedDate": "2020-01-01"}, set()),
        (
            {"path": "Patient.birthDate", "fixedString": "x"},
            {("element-value-type", E0 + ".fixed.ofType(String)")},
        ),
        ({"path": "Patient.deceased[x]", "patternBoolean": True}, set()),
        (
            {"path": "Patient.managingOrganization", "type": [{"code": "Reference", "targetProfile": [R4 + "Person"]}]},
            {("narrow-target", E0 + ".type[0].targetProfile[0]")},
        ),
        (
            {
                "path": "Patient.generalPractitioner",
                "type": [{"code": "Reference", "targetProfile": [R4 + "PractitionerRole", "http://a.b/unknown"]}],
            },
            set(),
        ),
        ({"path": "Patient.deceased[x]", "type": [{"code": "boolean"}]}, set()),
        (
            {"path": "Patient.gender", "binding": {"strength": "preferred"}},
            {("narrow-binding", E0 + ".binding.strength")},
        ),
        ({"path": "Patient.gender", "binding": {"strength": "required"}}, set()),
        ({"path": "Patient.maritalStatus", "binding": {"strength": "required"}}, set()),
        ({"path": "Patient.nosuch", "min": 1}, {("element-unknown", E0 + ".path")}),
        ({"path": "Patient.name.family", "min": 1}, set()),
        ({"path": "Patient.name.nosuch", "min": 1}, {("element-unknown", E0 + ".path")}),
        ({"path": "Patient.contact.name.given", "min": 1}, set()),
    ],
)
def test_a_profile_allows_no_more_than_its_base(check, element, expected):
    assert errors(check, structure(element)) == expected


def slicing(path, kind="value"):
    return {"discriminator": [{"type": kind, "path": path}], "rules": "open"}


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"path": "Patient.identifier", "slicing": slicing("system")}, set()),
        ({"path": "Patient.identifier", "slicing": slicing("type.coding.code")}, set()),
        ({"path": "Patient.contact", "slicing": slicing("relationship")}, set()),
        ({"path": "Patient.extension", "slicing": slicing("url")}, set()),
        (
            {"path": "Patient.extension", "slicing": slicing("type")},
            {("discriminator-path", E0 + ".slicing.discriminator[0]")},
        ),
        ({"path": "Patient.gender", "slicing": slicing("$this")}, {("slicing-single", E0 + ".slicing")}),
        ({"path": "Patient.deceased[x]", "slicing": slicing("$this", "type")}, set()),
    ],
)
def test_slicing_is_of_what_repeats_by_what_is_there(check, element, expected):
    assert errors(check, structure(element)) == expected


def test_the_root_is_not_sliced(check):
    root = {"path": "Patient", "slicing": slicing("$this")}
    assert ("slicing-root", "differential.element[0].slicing") in errors(check, structure(root))


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"path": "Patient.gender", "type": [{"code": "code"}], "maxLength": 9}, set()),
        (
            {"path": "Patient.active", "type": [{"code": "boolean"}], "maxLength": 9},
            {("element-carrier", E0 + ".maxLength")},
        ),
        (
            {"path": "Patient.active", "type": [{"code": "boolean"}], "binding": {"strength": "required"}},
            {("element-carrier", E0 + ".binding")},
        ),
        (
            {"path": "Patient.active", "type": [{"code": "boolean"}], "minValueInteger": 1},
            {("element-carrier", E0 + ".minValue.ofType(Integer)")},
        ),
        ({"path": "Patient.birthDate", "type": [{"code": "date"}], "minValueDate": "1900"}, set()),
        ({"path": "Patient.active", "type": [{"code": "boolean"}], "fixedBoolean": True}, set()),
        (
            {"path": "Patient.active", "type": [{"code": "boolean"}], "fixedString": "x"},
            {("element-value-type", E0 + ".fixed.ofType(String)")},
        ),
        (
            {"path": "Patient.gender", "type": [{"code": "code", "targetProfile": [R4 + "Patient"]}]},
            {("eld-17", E0 + ".type[0]")},
        ),
        (
            {
                "path": "Patient.managingOrganization",
                "type": [{"code": "Reference", "targetProfile": [R4 + "Organization"]}],
            },
            set(),
        ),
        (
            {"path": "Patient.managingOrganization", "type": [{"code": "Reference", "targetProfile": [R4 + "Period"]}]},
            {("element-target-kind", E0 + ".type[0].targetProfile[0]")},
        ),
        (
            {"path": "Patient.extension", "type": [{"code": "Extension", "profile": [R4 + "Quantity"]}]},
            {("element-profile-type", E0 + ".type[0].profile[0]")},
        ),
        (
            {
                "path": "Patient.modifierExtension",
                "type": [{"code": "Extension", "profile": [R4 + "patient-religion"]}],
            },
            {("element-profile-modifier", E0 + ".type[0].profile[0]")},
        ),
        ({"path": "Patient.extension", "type": [{"code": "Extension", "profile": [R4 + "patient-religion"]}]}, set()),
        ({"path": "Patient.name", "meaningWhenMissing": "x"}, {("element-barred", E0)}),
    ],
)
def test_an_element_says_what_its_types_can_carry(check, element, expected):
    assert errors(check, structure(element)) == expected


def constraint(**more: object):
    return {"key": "x-1", "severity": "error", "human": "x", **more}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (constraint(expression="name.exists()"), set()),
        (constraint(expression="name.exists()", source=URL), set()),
        (constraint(expression="name.exists()", source=R4 + "Person"), {"constraint-source"}),
        (constraint(expression="name.exists("), {"constraint-expression"}),
        (constraint(key="pat-1", expression="true"), {"narrow-constraint"}),
    ],
)
def test_invariants_are_fhirpath_and_their_keys_are_their_own(check, one, expected):
    found = errors(check, structure({"path": "Patient.contact", "constraint": [one]}))
    assert {k for k, _ in found} == expected


def extension(fixed, **more: object):
    elements = [{"path": "Extension"}, {"path": "Extension.url", "fixedUri": fixed}]
    head = {"type": "Extension", "kind": "complex-type", "baseDefinition": R4 + "Extension"}
    context = [{"type": "element", "expression": "Patient.contact"}]
    return structure(*elements, **{**head, "context": context, **more})


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (extension(URL), set()),
        (extension(URL + "y"), {("extension-url-fixed", "differential")}),
        (
            extension(URL, context=[{"type": "element", "expression": "Patient.nosuch"}]),
            {("context-unknown", "context[0].expression")},
        ),
        (
            extension(URL, context=[{"type": "element", "expression": "Nosuch"}]),
            {("context-unknown", "context[0].expression")},
        ),
        (extension(URL, context=[{"type": "element", "expression": "string"}]), set()),
        (extension(URL, context=[{"type": "fhirpath", "expression": "Nosuch"}]), set()),
    ],
)
def test_an_extension_fixes_its_url_and_stands_where_r4_has_an_element(check, resource, expected):
    assert errors(check, resource) == expected


def test_a_server_only_warns_of_what_r4_does_not_forbid(check):
    element = {"path": "Patient.name", "meaningWhenMissing": "x"}
    assert ("warning", "validation.element-barred", "StructureDefinition." + E0) in check(structure(element))


def test_an_element_of_a_snapshot_has_a_type(check):
    bare = {"path": "Patient.name", "min": 0, "max": "*"}
    found = errors(check, structure(bare, view="snapshot"))
    assert ("element-typeless", "snapshot.element[1]") in found


@pytest.mark.parametrize(("kind", "barred"), [("primitive-type", False), ("complex-type", True)])
def test_the_definition_of_a_primitive_type_alone_has_bounds_on_its_value(check, kind, barred):
    integer = {"code": "http://hl7.org/fhirpath/System.Integer"}
    value = {"path": "integer.value", "min": 0, "max": "1", "type": [integer], "maxValueInteger": 9}
    resource = structure(
        {"path": "integer", "min": 0, "max": "*"}, value, view="snapshot", kind=kind, type="integer", baseDefinition=R4 + "Element", derivation="specialization"
    )  # fmt: skip
    found = {(k, p) for k, p in errors(check, resource) if k == "element-barred"}
    assert found == ({("element-barred", "snapshot.element[1]")} if barred else set())
