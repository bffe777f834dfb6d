"""A differential makes a snapshot: it is located in its base, element by element, and merged."""

from typing import Any

import pytest

from fhir_server.definitions.differentials import MAX_CHAIN
from fhir_server.definitions.library import Library, Loaded
from fhir_server.definitions.outline import SnapshotError
from fhir_server.definitions.places import MAX_DEPTH
from fhir_server.definitions.structures import snapshots_of

R4 = "http://hl7.org/fhir/StructureDefinition/"
OWN = "http://example.org/StructureDefinition/"


def profile(*elements: dict[str, Any], type_: str = "Observation", name: str = "p", base: str = "", **members: Any):
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": OWN + name,
        "name": "P",
        "type": type_,
        "kind": "resource",
        "abstract": False,
        "baseDefinition": base or R4 + type_,
        "derivation": "constraint",
        "differential": {"element": [{"path": e["id"], **e} if "path" not in e and "id" in e else e for e in elements]},
        **members,
    }


def snapshot(resource: dict[str, Any], *others: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the elements of the snapshot by id, in its order."""
    library = Library({}, {}).extended([Loaded(r, "", {}) for r in others])
    return {e["id"]: e for e in snapshots_of(library).of(resource)}


def fault(resource: dict[str, Any], *others: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(SnapshotError) as caught:
        snapshot(resource, *others)
    return caught.value.path, str(caught.value)


def element(id_: str, path: str, **members: Any) -> dict[str, Any]:
    return {"id": id_, "path": path, **members}


def below(elements: dict[str, Any], id_: str) -> list[str]:
    """Returns the names right below an element."""
    return [e.removeprefix(id_ + ".") for e in elements if e.startswith(id_ + ".") and "." not in e[len(id_) + 1 :]]


BY_CODE = {"discriminator": [{"type": "pattern", "path": "code"}], "rules": "open"}


def test_what_the_differential_does_not_say_stays_as_in_the_base():
    made, base = snapshot(profile(element("Observation.status", "Observation.status", min=1))), snapshot_of_base()
    assert list(made) == list(base)
    assert {k for k in made if made[k] != base[k]} == set()


def snapshot_of_base() -> dict[str, dict[str, Any]]:
    return {e["id"]: e for e in snapshots_of(Library({}, {})).of_url(R4 + "Observation")}


def test_slices_follow_the_element_and_its_content_in_the_order_of_the_differential():
    made = snapshot(
        profile(
            element("Observation.component", "Observation.component", slicing=BY_CODE),
            element("Observation.component:b", "Observation.component", sliceName="b", min=1),
            element("Observation.component:a", "Observation.component", sliceName="a", max="1"),
        )
    )
    ids = [i for i in made if i.startswith("Observation.component")]
    assert ids[-3:] == ["Observation.component.referenceRange", "Observation.component:b", "Observation.component:a"]
    assert [(made[i]["min"], made[i]["max"], made[i]["sliceName"]) for i in ids[-2:]] == [(1, "*", "b"), (0, "1", "a")]
    assert "slicing" not in made["Observation.component:a"]


def test_a_slice_is_not_bound_by_what_the_differential_says_of_all_items():
    made = snapshot(
        profile(
            element("Observation.component", "Observation.component", slicing=BY_CODE, min=2, mustSupport=True),
            element("Observation.component:a", "Observation.component", sliceName="a"),
        )
    )
    assert made["Observation.component"]["min"] == 2
    assert (made["Observation.component:a"]["min"], "mustSupport" in made["Observation.component:a"]) == (0, False)


def test_content_of_a_slice_is_that_of_the_element_it_slices():
    made = snapshot(
        profile(
            element("Observation.component", "Observation.component", slicing=BY_CODE),
            element("Observation.component:a", "Observation.component", sliceName="a"),
            element("Observation.component:a.code", "Observation.component.code", patternCodeableConcept={"text": "a"}),
        )
    )
    assert below(made, "Observation.component:a") == below(made, "Observation.component")
    assert made["Observation.component:a.code"]["patternCodeableConcept"] == {"text": "a"}
    assert made["Observation.component:a.code"]["path"] == "Observation.component.code"
    assert "patternCodeableConcept" not in made["Observation.component.code"]


def test_a_re_slice_stands_behind_its_slice_and_starts_as_that():
    made = snapshot(
        profile(
            element("Observation.component", "Observation.component", slicing=BY_CODE),
            element("Observation.component:a", "Observation.component", sliceName="a", max="3", slicing=BY_CODE),
            element("Observation.component:b", "Observation.component", sliceName="b"),
            element("Observation.component:a/x", "Observation.component", sliceName="a/x", min=1),
        )
    )
    slices = [i for i in made if i.startswith("Observation.component:")]
    assert slices == ["Observation.component:a", "Observation.component:a/x", "Observation.component:b"]
    assert (made["Observation.component:a/x"]["min"], made["Observation.component:a/x"]["max"]) == (1, "3")
    assert "slicing" not in made["Observation.component:a/x"]


def test_a_content_reference_becomes_the_content_it_refers_to():
    id_ = "Observation.component.referenceRange.text"
    made = snapshot(profile(element(id_, id_, min=1)))
    opened = made["Observation.component.referenceRange"]
    assert ("contentReference" in opened, [t["code"] for t in opened["type"]]) == (False, ["BackboneElement"])
    assert below(made, "Observation.component.referenceRange") == below(made, "Observation.referenceRange")
    assert (made[id_]["min"], made["Observation.referenceRange.text"]["min"]) == (1, 0)


def test_a_short_name_slices_the_choice_by_type_and_leaves_no_other():
    made = snapshot(
        profile(
            element("Observation.valueQuantity", "Observation.valueQuantity", min=1),
            element("Observation.valueQuantity.unit", "Observation.valueQuantity.unit", min=1),
        )
    )
    choice, slice_ = made["Observation.value[x]"], made["Observation.value[x]:valueQuantity"]
    assert [t["code"] for t in choice["type"]] == ["Quantity"]
    assert (choice["slicing"]["rules"], choice["slicing"]["discriminator"]) == (
        "closed",
        [{"type": "type", "path": "$this"}],
    )
    assert ([t["code"] for t in slice_["type"]], slice_["min"], slice_["path"]) == (
        ["Quantity"],
        1,
        "Observation.value[x]",
    )
    assert made["Observation.value[x]:valueQuantity.unit"]["min"] == 1


def test_two_short_names_leave_two_types():
    made = snapshot(
        profile(
            element("Observation.valueQuantity", "Observation.valueQuantity"),
            element("Observation.valueString", "Observation.valueString", maxLength=5),
        )
    )
    assert [t["code"] for t in made["Observation.value[x]"]["type"]] == ["Quantity", "string"]
    assert made["Observation.value[x]:valueString"]["maxLength"] == 5


def test_a_slice_named_after_its_type_has_that_type_and_the_choice_keeps_the_others():
    id_ = "Observation.value[x]:valueQuantity"
    made = snapshot(profile(element(id_, "Observation.value[x]", sliceName="valueQuantity")))
    assert [t["code"] for t in made[id_]["type"]] == ["Quantity"]
    assert (made["Observation.value[x]"]["slicing"]["rules"], len(made["Observation.value[x]"]["type"])) == ("open", 11)


def test_fewer_types_take_the_place_of_all():
    types = [{"code": "Quantity"}, {"code": "string"}]
    made = snapshot(profile(element("Observation.value[x]", "Observation.value[x]", type=types)))
    assert made["Observation.value[x]"]["type"] == types


def test_an_extension_slice_takes_what_its_definition_says():
    extension = profile(
        element("Extension", "Extension", short="Blood group", max="1"),
        element("Extension.value[x]", "Extension.value[x]", type=[{"code": "code"}], min=1),
        type_="Extension",
        name="e",
        kind="complex-type",
    )
    type_ = [{"code": "Extension", "profile": [OWN + "e"]}]
    made = snapshot(
        profile(
            element("Patient.extension:e", "Patient.extension", sliceName="e", type=type_),
            element("Patient.extension:e.value[x]", "Patient.extension.value[x]", fixedCode="A"),
            type_="Patient",
        ),
        extension,
    )
    slice_ = made["Patient.extension:e"]
    assert (slice_["short"], slice_["max"], slice_["type"]) == ("Blood group", "1", type_)
    assert made["Patient.extension"]["slicing"]["discriminator"] == [{"type": "value", "path": "url"}]
    value = made["Patient.extension:e.value[x]"]
    assert (value["min"], value["type"], value["fixedCode"]) == (1, [{"code": "code"}], "A")


def test_an_extension_that_nobody_defines_is_taken_as_any():
    type_ = [{"code": "Extension", "profile": [OWN + "none"]}]
    made = snapshot(
        profile(element("Patient.extension:e", "Patient.extension", sliceName="e", type=type_), type_="Patient")
    )
    assert (made["Patient.extension:e"]["type"], made["Patient.extension:e"]["max"]) == (type_, "*")


def test_a_profile_on_a_type_gives_its_invariants_and_its_content():
    name = profile(
        element(
            "HumanName",
            "HumanName",
            constraint=[{"key": "n-1", "severity": "error", "human": "x", "expression": "true"}],
        ),
        element("HumanName.family", "HumanName.family", min=1),
        type_="HumanName",
        name="n",
        kind="complex-type",
    )
    type_ = [{"code": "HumanName", "profile": [OWN + "n"]}]
    made = snapshot(
        profile(
            element("Patient.name", "Patient.name", type=type_),
            element("Patient.name.given", "Patient.name.given", min=1),
            type_="Patient",
        ),
        name,
    )
    assert {c["key"] for c in made["Patient.name"]["constraint"]} == {"ele-1", "n-1"}
    assert (made["Patient.name.family"]["min"], made["Patient.name.given"]["min"]) == (1, 1)


def test_invariants_accumulate_once_a_key_and_say_where_they_come_from():
    rule = {"key": "x-1", "severity": "error", "human": "x", "expression": "true"}
    again = {"key": "ele-1", "severity": "error", "human": "x", "expression": "true"}
    base = profile(element("Observation.code", "Observation.code", constraint=[rule]), name="b")
    other = rule | {"key": "x-2"}
    made = snapshot(
        profile(element("Observation.code", "Observation.code", constraint=[other, again]), base=OWN + "b"), base
    )
    found = [(c["key"], c.get("source")) for c in made["Observation.code"]["constraint"]]
    assert found == [("ele-1", None), ("x-1", OWN + "b"), ("x-2", OWN + "p")]


def test_a_binding_keeps_what_is_not_said_anew():
    binding = {"strength": "required", "valueSet": "http://example.org/v"}
    base = profile(element("Observation.code", "Observation.code", binding=binding), name="b")
    tighter = {"valueSet": "http://example.org/w"}
    made = snapshot(profile(element("Observation.code", "Observation.code", binding=tighter), base=OWN + "b"), base)
    found = made["Observation.code"]["binding"]
    assert (found["strength"], found["valueSet"]) == ("required", "http://example.org/w")


def test_text_after_dots_goes_on():
    base = profile(element("Observation.code", "Observation.code", definition="What."), name="b")
    made = snapshot(
        profile(element("Observation.code", "Observation.code", definition="... And how."), base=OWN + "b"), base
    )
    assert made["Observation.code"]["definition"] == "What.\nAnd how."


def test_ids_are_made_of_paths_and_slice_names_where_they_are_missing():
    made = snapshot(
        profile(
            {"path": "Observation.component", "slicing": BY_CODE},
            {"path": "Observation.component", "sliceName": "a", "min": 1},
            {"path": "Observation.component.code", "min": 1, "short": "in a"},
            {"path": "Observation.component.code.text", "min": 1},
            {"path": "Observation.method", "min": 1},
        )
    )
    assert made["Observation.component:a.code"]["short"] == "in a"
    assert made["Observation.component:a.code.text"]["min"] == 1
    assert (made["Observation.method"]["min"], "short" in made["Observation.component.code"]) == (1, False)


def test_bases_are_found_in_any_order():
    chain = [profile(element(f"Observation.{n}", f"Observation.{n}", min=1), name=n, base=b) for n, b in CHAIN]
    made = snapshot(chain[0], *chain[1:])
    assert {n for n, _ in CHAIN if made[f"Observation.{n}"]["min"] == 1} == {"subject", "encounter", "issued"}


CHAIN = (("subject", OWN + "encounter"), ("encounter", OWN + "issued"), ("issued", R4 + "Observation"))


def test_a_circle_of_bases_is_told():
    first, second = profile(name="a", base=OWN + "b"), profile(name="b", base=OWN + "a")
    path, reason = fault(first, first, second)
    assert path == "StructureDefinition.baseDefinition"
    assert reason == f"a circle of definitions: {OWN}a -> {OWN}b -> {OWN}a"


def test_a_chain_without_end_is_cut():
    chain = [profile(name=f"p{n}", base=f"{OWN}p{n + 1}") for n in range(MAX_CHAIN + 2)]
    assert fault(chain[0], *chain[1:])[1] == f"more than {MAX_CHAIN} definitions depend on it"


def test_a_base_that_nobody_defines_is_told():
    assert fault(profile(base=OWN + "none")) == (
        "StructureDefinition.differential",
        f"{OWN}none is not defined",
    )


@pytest.mark.parametrize(
    ("id_", "reason"),
    [
        ("Observation.gender", "the base has no such element; Observation has id, meta, implicitRules"),
        ("Observation.code.gender", "the base has no such element; Observation.code has id, extension, coding, text"),
        ("Patient.gender", "the base has no such element; the snapshot starts with Observation"),
        ("Observation.valueMoney", "the base has no such element; Observation has id"),
    ],
)
def test_an_element_that_the_base_does_not_have_is_told_with_those_it_has(id_, reason):
    path, said = fault(profile(element(id_, id_)))
    where = id_.partition(".")[0] if id_.startswith("Patient") else id_
    assert path == f"StructureDefinition.differential.element ({where})"
    assert said.startswith(reason)


@pytest.mark.parametrize(
    ("broken", "path", "reason"),
    [
        ({"min": 1}, "StructureDefinition.differential.element[0]", "path is missing"),
        ({"id": "Observation.code", "path": 1}, "StructureDefinition.differential.element[0]", "path is missing"),
        (
            {"id": "Observation.code", "path": "Observation.code", "constraint": 3},
            "StructureDefinition.differential",
            "'int' object is not iterable",
        ),
        (
            {"id": "Observation.code", "path": "Observation.code", "type": 3},
            "StructureDefinition.differential",
            "object of type 'int' has no len()",
        ),
    ],
)
def test_what_is_no_differential_is_told(broken, path, reason):
    assert fault(profile(broken)) == (path, reason)


def test_an_element_too_deep_is_refused():
    id_ = "Questionnaire" + ".item" * MAX_DEPTH
    assert fault(profile(element(id_, id_), type_="Questionnaire")) == (
        "StructureDefinition.differential.element[0]",
        f"the element is more than {MAX_DEPTH} levels deep",
    )


def test_content_that_grows_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("fhir_server.definitions.outline.MAX_ELEMENTS", 60)
    id_ = "Questionnaire" + ".item" * 3
    reason = "the snapshot has more than 60 elements"
    assert fault(profile(element(id_, id_), type_="Questionnaire"))[1] == reason


def test_a_type_of_its_own_adds_elements_to_its_base():
    made = snapshot(
        profile(
            element("Model", "Model", min=0, max="*"),
            element("Model.part", "Model.part", min=1, max="1", type=[{"code": "BackboneElement"}]),
            element("Model.part.code", "Model.part.code", min=0, max="*", type=[{"code": "code"}]),
            type_="http://example.org/StructureDefinition/Model",
            base=R4 + "Element",
            kind="logical",
            derivation="specialization",
        )
    )
    assert below(made, "Model") == ["id", "extension", "part"]
    assert below(made, "Model.part") == ["id", "extension", "modifierExtension", "code"]


def test_a_slice_of_what_is_not_sliced_names_the_element():
    base = profile(element("Observation.code:Main", "Observation.code", sliceName="Main", min=1), name="b")
    made = snapshot(profile(element("Observation.code", "Observation.code", mustSupport=True), base=OWN + "b"), base)
    assert [i for i in made if i.startswith("Observation.code")] == ["Observation.code:Main"]
    assert made["Observation.code:Main"]["mustSupport"] is True
