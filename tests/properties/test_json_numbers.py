"""JSON in, JSON out: every number keeps its text, every string its characters, every key its place."""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import BadStructure
from fhir_server.fhir.json_codec import MAX_DEPTH, decode, encode

digits = st.text("0123456789", min_size=1, max_size=25)
whole = st.one_of(st.just("0"), digits.map(lambda d: d.lstrip("0") or "7"))
sign = st.sampled_from(["", "-"])
exponent = st.builds(
    "{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 400).map(str)
)
numbers = st.one_of(
    st.builds("{}{}.{}".format, sign, whole, digits),
    st.builds("{}{}{}".format, sign, whole, exponent),
    st.builds("{}{}.{}{}".format, sign, whole, digits, exponent),
    st.builds("{}{}".format, sign, digits.map(lambda d: d.lstrip("0") or "7")),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(numbers)
def test_a_number_keeps_its_text(number):
    text = b'{"value":' + number.encode() + b"}"
    assert encode(decode(text)) == text


@given(numbers)
def test_a_number_is_worth_what_it_says(number):
    assert Decimal(decode(b'{"value":' + number.encode() + b"}")["value"]) == Decimal(number)


@given(st.dictionaries(texts, st.one_of(texts, st.booleans(), st.lists(texts, max_size=3)), max_size=5))
def test_text_and_order_are_kept(value):
    text = json.dumps(value, ensure_ascii=False).encode()
    found = decode(text)
    assert found == value
    assert list(found) == list(value)
    assert json.loads(encode(found)) == value


@given(texts, texts)
def test_a_key_twice_is_refused_and_one_that_only_looks_so_is_not(name, other):
    key, value = json.dumps(name), json.dumps(f'"{other}":')
    assert decode(f"{{{key}:{value}}}".encode()) == {name: f'"{other}":'}
    with pytest.raises(BadStructure):
        decode(f"{{{key}:1,{key} :2}}".encode())


@given(st.integers(1, 300))
def test_nesting_ends_at_the_limit(depth):
    text = b'{"a":' * depth + b"1" + b"}" * depth
    if depth <= MAX_DEPTH:
        assert encode(decode(text)) == text
    else:
        with pytest.raises(BadStructure):
            decode(text)


@given(st.binary(max_size=40))
def test_no_bytes_make_it_fail_otherwise(data):
    found: object = {}
    with suppress(BadStructure):
        found = decode(data)
    assert isinstance(found, dict)
