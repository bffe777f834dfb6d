"""Names with a hole in them."""

import pytest

from fhir_server.search.wild import WILD, fits


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("a", "a", True),
        ("ab", "a", False),
        ("ab", f"a{WILD}", True),
        ("a", f"a{WILD}", True),
        ("cab", f"a{WILD}", False),
        ("a\nb", f"a{WILD}b", True),
        ("a.b", f"a.b{WILD}", True),
        ("axb", f"a.b{WILD}", False),
        ("axxbyyc", f"a{WILD}b{WILD}c", True),
    ],
)
def test_a_wild_stands_for_any_text(text, pattern, expected):
    assert fits(text, pattern) is expected
