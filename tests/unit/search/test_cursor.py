import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.errors import SearchValueInvalid
from fhir_server.search.cursor import PageToken, PageTokens

TOKENS = PageTokens(b"a secret of the tests")
TOKEN = PageToken(42, (1714492800000000, -0.5, "王", None), "p1")
SEARCH = "Patient?name=王"


@given(
    st.integers(0, 2**62),
    st.lists(st.none() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | st.text()),
    st.text(min_size=1),
)
def test_what_was_written_is_read_back(moment, values, id_):
    token = PageToken(moment, tuple(values), id_)
    assert TOKENS.read(TOKENS.write(token, SEARCH), SEARCH) == token


def test_integers_and_floats_keep_their_kind():
    values = TOKENS.read(TOKENS.write(PageToken(1, (1, 1.0), "a"), SEARCH), SEARCH).values
    assert [type(v) for v in values] == [int, float]


def test_a_token_needs_no_escaping_in_a_url():
    assert re.fullmatch(r"[A-Za-z0-9_-]+", TOKENS.write(TOKEN, SEARCH))


def test_a_token_of_another_search_is_refused():
    with pytest.raises(SearchValueInvalid) as caught:
        TOKENS.read(TOKENS.write(TOKEN, SEARCH), "Patient?name=李")
    assert [i.key for i in caught.value.issues] == ["search.page-invalid"]


def test_a_token_under_another_secret_is_refused():
    with pytest.raises(SearchValueInvalid):
        PageTokens(b"another secret").read(TOKENS.write(TOKEN, SEARCH), SEARCH)


def test_a_token_changed_in_any_place_is_refused():
    text = TOKENS.write(TOKEN, SEARCH)
    # The last character has spare bits that decode to the same bytes; every other change counts.
    changed = [text[:n] + ("A" if text[n] != "A" else "B") + text[n + 1 :] for n in range(len(text) - 1)]
    accepted = [text for text in changed if _accepts(text)]
    assert accepted == []
    assert _accepts(text)


@pytest.mark.parametrize("text", ["", "x", "王", "!!!!", "A" * 1000])
def test_what_is_no_token_is_refused(text):
    assert not _accepts(text)


def _accepts(text: str) -> bool:
    try:
        TOKENS.read(text, SEARCH)
    except SearchValueInvalid:
        return False
    return True
