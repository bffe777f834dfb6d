"""Reading FHIR JSON: a property stands once, however the text is spaced, and nesting has an end."""

import pytest

from fhir_server.errors import BadStructure
from fhir_server.fhir.json_codec import MAX_DEPTH, decode


def key_of_refusal(text):
    with pytest.raises(BadStructure) as refused:
        decode(text.encode())
    return refused.value.issues[0].key


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a" :1,"a" :2}',
        '{"a" :1,"b":{"c":1,"c":2}}',
        '{"a"\n:1,"b":[{"c":1},{"c":1,"c"\t:2}]}',
        '{"a":{"x":1},"a":2}',
        r'{"a":"\u0022:","b":1,"b":2}',
        r'{"a":"\":","b":1,"b":2}',
    ],
)
def test_a_property_that_stands_twice_is_refused(text):
    assert key_of_refusal(text) == "json.duplicate-key"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a" : 1, "b":\n2}', {"a": 1, "b": 2}),
        (r'{"a":"\":","b":"x :y"}', {"a": '":', "b": "x :y"}),
        (r'{"a":"\u0022:"}', {"a": '":'}),
        ('{"a":[{"b":1},{"b":2}]}', {"a": [{"b": 1}, {"b": 2}]}),
    ],
)
def test_what_only_looks_like_a_property_is_text(text, wanted):
    assert decode(text.encode()) == wanted


def test_nesting_ends_at_the_limit():
    inner = MAX_DEPTH - 1
    assert decode(('{"a":' + "[" * inner + "]" * inner + "}").encode())["a"]
    assert key_of_refusal('{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}") == "json.too-deep"
