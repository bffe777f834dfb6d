"""JSON Patch, https://datatracker.ietf.org/doc/html/rfc6902: the cases of its appendix A, and FHIR's decimals."""

import pytest

from fhir_server.errors import BadStructure, Conflict, InvalidRequest, ResourceInvalid
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.interactions.json_patch import json_patch


def patched(document, patch):
    body = patch if isinstance(patch, str) else encode(patch).decode()
    return json_patch(body.encode())(decode(encode(document)))


DONE = {
    "A.1 add a member": ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
    "A.2 add an item": ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b", "c"]}),
    "A.3 remove a member": ({"baz": "q", "foo": "b"}, [{"op": "remove", "path": "/baz"}], {"foo": "b"}),
    "A.4 remove an item": ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
    "A.5 replace": ({"baz": "q", "foo": "b"}, [{"op": "replace", "path": "/baz", "value": "x"}], {"baz": "x", "foo": "b"}),
    "A.6 move a member": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7 move an item": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8 test": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.10 add a nested object": ({"foo": "b"}, [{"op": "add", "path": "/c", "value": {"g": {}}}], {"foo": "b", "c": {"g": {}}}),
    "A.11 unknown members": ({"foo": "b"}, [{"op": "add", "path": "/baz", "value": "q", "xyz": 1}], {"foo": "b", "baz": "q"}),
    "A.14 escapes": ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    "A.16 append": ({"foo": ["b"]}, [{"op": "add", "path": "/foo/-", "value": ["a"]}], {"foo": ["b", ["a"]]}),
    "add replaces a member": ({"foo": 1}, [{"op": "add", "path": "/foo", "value": None}], {"foo": None}),
    "copy": ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/-", "value": 2}], {"a": [1], "b": [1, 2]}),
    "move to itself": ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    "the empty key": ({"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}),
    "the whole": ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    "nothing to do": ({"a": 1}, [], {"a": 1}),
    "the last item takes its list along": ({"a": {"b": [1]}, "c": 1}, [{"op": "remove", "path": "/a/b/0"}], {"c": 1}),
    "a list that is filled again stays": (
        {"a": [1]},
        [{"op": "remove", "path": "/a/0"}, {"op": "add", "path": "/a/-", "value": 2}],
        {"a": [2]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DONE.values(), ids=DONE)
def test_what_a_patch_makes(case):
    document, patch, expected = case
    assert patched(document, patch) == expected


REFUSED = {
    "A.9 test fails": ({"baz": "q"}, [{"op": "test", "path": "/baz", "value": "bar"}], Conflict, "patch.test-failed"),
    "A.12 no parent": ({"foo": "b"}, [{"op": "add", "path": "/baz/bat", "value": 1}], ResourceInvalid, "patch.path-nowhere"),
    "A.15 a text is no number": ({"a": 10}, [{"op": "test", "path": "/a", "value": "10"}], Conflict, "patch.test-failed"),
    "true is not 1": ({"a": True}, [{"op": "test", "path": "/a", "value": 1}], Conflict, "patch.test-failed"),
    "beyond the end": ({"a": [1]}, [{"op": "add", "path": "/a/2", "value": 1}], ResourceInvalid, "patch.path-nowhere"),
    "leading zeros": ({"a": [1, 2]}, [{"op": "remove", "path": "/a/01"}], ResourceInvalid, "patch.path-nowhere"),
    "a negative index": ({"a": [1, 2]}, [{"op": "remove", "path": "/a/-1"}], ResourceInvalid, "patch.path-nowhere"),
    "remove after the end": ({"a": [1]}, [{"op": "remove", "path": "/a/-"}], ResourceInvalid, "patch.path-nowhere"),
    "replace nothing": ({}, [{"op": "replace", "path": "/a", "value": 1}], ResourceInvalid, "patch.path-nowhere"),
    "remove nothing": ({}, [{"op": "remove", "path": "/a"}], ResourceInvalid, "patch.path-nowhere"),
    "into a text": ({"a": "b"}, [{"op": "add", "path": "/a/0", "value": 1}], ResourceInvalid, "patch.path-nowhere"),
    "into itself": ({"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b"}], ResourceInvalid, "patch.move-inside"),
    "no list": ({}, {"op": "add"}, InvalidRequest, "patch.not-a-list"),
    "an unknown operation": ({}, [{"op": "spam", "path": "/a"}], InvalidRequest, "patch.operation-unknown"),
    "no path": ({}, [{"op": "remove"}], InvalidRequest, "patch.member-missing"),
    "no value": ({}, [{"op": "add", "path": "/a"}], InvalidRequest, "patch.member-missing"),
    "no from": ({}, [{"op": "copy", "path": "/a"}], InvalidRequest, "patch.member-missing"),
    "a pointer without slash": ({}, [{"op": "remove", "path": "a"}], InvalidRequest, "patch.pointer-malformed"),
    "a lone tilde": ({}, [{"op": "remove", "path": "/a~2"}], InvalidRequest, "patch.pointer-malformed"),
    "no resource is left": ({}, [{"op": "replace", "path": "", "value": [1]}], InvalidRequest, "patch.not-a-resource"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(case):
    document, patch, kind, key = case
    with pytest.raises(kind) as refused:
        patched(document, patch)
    assert [i.key for i in refused.value.issues] == [key]


def test_the_issue_names_the_operation():
    with pytest.raises(ResourceInvalid) as refused:
        patched({"a": 1}, [{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/b"}])
    assert refused.value.issues[0].path == "[1]"


def test_numbers_are_compared_by_value_and_keep_their_spelling():
    body = '[{"op":"test","path":"/v","value":1.0},{"op":"copy","from":"/v","path":"/w"},{"op":"add","path":"/x","value":1e3}]'
    assert encode(json_patch(body.encode())(decode(b'{"v":1.00}'))) == b'{"v":1.00,"w":1.00,"x":1e3}'


def test_bad_json_tells_the_column_of_the_text_that_was_sent():
    with pytest.raises(BadStructure) as refused:
        json_patch(b'[{"op": tru}]')
    (found,) = refused.value.issues
    assert (found.line, found.column) == (1, 13)
