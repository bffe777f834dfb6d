"""Reading FHIR JSON: a property stands once, however the text is spaced, and nesting has an end."""

import pytest

from fhir_server.errors import BadStructure
from fhir_server.fhir.json_codec import MAX_DEPTH, decode, encode, read_number


def refusal(data):
    with pytest.raises(BadStructure) as refused:
        decode(data)
    (found,) = refused.value.issues
    return found.key, (found.line, found.column)


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


@pytest.mark.parametrize(
    ("data", "key", "place"),
    [
        (b"", "json.malformed", (1, 1)),
        (b'{"a":\n  }', "json.malformed", (2, 3)),
        ('{"中文":\n "张", x}'.encode(), "json.malformed", (2, 7)),
        (b'{"a":NaN}', "json.malformed", (1, 6)),
        (b'{"a":"\x01"}', "json.malformed", (1, 7)),
        (b'{"a":\n "\xff"}', "json.malformed", (2, 3)),
        (b'{"a":\n "b\\ud800"}', "json.malformed", (2, 4)),
        (b'{"a":"\\ud83d\\ude00","b":"\\udc00x"}', "json.malformed", (1, 26)),
        (b"\n [1]", "json.not-an-object", (2, 2)),
        (b'{"a":1,\n "b":{"a":1,"a":2}}', "json.duplicate-key", (2, 13)),
        (b'{"b":[{"c":"\\":"}],\n "b":1}', "json.duplicate-key", (2, 2)),
        (b'{"a":\n' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "json.too-deep", (2, MAX_DEPTH)),
        (b'{"a":\n' + b"[" * 10_000 + b"]" * 10_000 + b"}", "json.too-deep", (2, MAX_DEPTH)),
        (b'{"a":"1e9999",\n"b":1e999999999}', "json.number-too-long", (2, 5)),
        (b'{"a":1e99999999999999999999999}', "json.number-too-long", (1, 6)),
        (b'{"a":1.5,"b":' + b"9" * 100_000 + b"}", "json.number-too-long", (1, 14)),
        (b'{"a":true,"b":-0.' + b"9" * 100_000 + b"}", "json.number-too-long", (1, 15)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_refused_is_refused_with_its_place(data, key, place):
    assert refusal(data) == (key, place)


def test_a_large_object_whose_text_looks_odd_is_read_in_linear_time():
    members = ",".join(f'"a{n}":1' for n in range(50_000))
    assert len(decode(f'{{{members},"z":"\\":"}}'.encode())) == 50_001


@pytest.mark.parametrize(
    "number", ["1.00", "1e3", "1E-22", "0.0000000000001", "-0.0000000", "0.000001", "1e1000", "1." + "3" * 900]
)
def test_a_number_is_written_as_it_was_read(number):
    text = f'{{"a":{number}}}'.encode()
    assert encode(decode(text)) == text
    assert encode({"a": read_number(number)}) == text


@pytest.mark.parametrize("text", ["", "abc", "+1", "01", ".5", "5.", "1e", "NaN", "1e1001", "1" * 1001, "1 "])
def test_what_is_no_number_of_json_or_too_long_is_not_read(text):
    assert read_number(text) is None
