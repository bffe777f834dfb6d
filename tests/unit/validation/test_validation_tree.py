"""The tree of a snapshot, and findings on their way up."""

import pytest

from fhir_server.definitions.registry import Element
from fhir_server.errors import Severity
from fhir_server.validation import ProfileError
from fhir_server.validation.report import at, found, issues_of, joined, shown, warned
from fhir_server.validation.tree import build_tree


def tree_of(*ids: str):
    return build_tree([Element(id_, id_, 0, None) for id_ in ids])


def test_children_and_slices_have_their_places():
    tree = tree_of("P", "P.a", "P.a:s", "P.a:s.b", "P.a:s/t", "P.v[x]")
    sliced = tree.children["a"]
    assert set(tree.children) == {"a", "v[x]"}
    assert set(sliced.slices) == {"s"}
    assert set(sliced.slices["s"].slices) == {"s/t"}
    assert set(sliced.slices["s"].children) == {"b"}
    assert [node.element.id for node in sliced.variants()] == ["P.a", "P.a:s", "P.a:s/t"]
    assert tree.child("v") is tree.children["v[x]"]
    assert tree.child("w") is None


def test_a_slice_without_its_element_implies_it():
    implied = tree_of("P", "P.a:s").children["a"].element
    assert (implied.id, implied.min, implied.max) == ("P.a", 0, None)


@pytest.mark.parametrize("ids", [(), ("P", "P.a.b"), ("P", "P.a:s.b")])
def test_an_element_without_parent_is_a_mistake(ids):
    with pytest.raises(ProfileError):
        tree_of(*ids)


def test_findings_take_their_path_from_inside_out():
    below = at(at(found("validation.null"), 1), "given", 0)
    [issue] = issues_of(at(below, "name"), "Patient")
    assert (issue.path, issue.key, issue.severity, issue.code) == (
        "Patient.name[0].given[1]",
        "validation.null",
        Severity.ERROR,
        "structure",
    )


def test_equal_findings_are_told_once_whatever_profile_asked():
    one, two, other = (
        found("validation.fixed", expected="a", found=v, profile=p) for v, p in (("x", "p"), ("x", "q"), ("y", "p"))
    )
    assert [i.params["found"] for i in issues_of([*one, *two, *other], "Patient")] == ["x", "y"]


def test_lists_of_findings_join():
    error, warning = found("validation.null"), warned("validation.null")
    assert joined(None, None) is None
    assert joined(error, None) is error
    assert joined(None, warning) is warning
    assert joined(error, warning) == [*error, *warning]


def test_long_values_are_cut():
    assert shown("x" * 81) == "x" * 80 + "..."
    assert shown("x" * 80) == "x" * 80
    assert shown(5) == "5"
