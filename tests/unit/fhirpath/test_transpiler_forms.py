"""fhirpath.transpiler.forms and .merging: which parts of an expression say the same, and tests that are put together."""

import ast

import pytest

from fhir_server.fhirpath.transpiler.forms import Forms
from fhir_server.fhirpath.transpiler.merging import merged, parsed


def shared(source):
    """The parts that occur more than once, as they are written."""
    tree = parsed(source)
    forms = Forms(source, tree)
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.expr) and forms.shared(n)]
    return {ast.unparse(n) for n in nodes}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("f(n) and g(n)", set()),
        ("f(n) and f(n)", {"f(n)"}),
        # names of a part's own variables do not matter, those of others do
        ("[x1 for x1 in n if x1] + [x2 for x2 in n if x2]", {"[x1 for x1 in n if x1]", "[x2 for x2 in n if x2]"}),
        ("[x1 for x1 in n if f(x1)] + [x2 for x2 in m if f(x2)]", set()),
        ("[x1 for x1 in n if a(x1, x1)] + [x2 for x2 in n if a(x2, n)]", set()),
        # a text is no variable
        ("[x1 for x1 in n if x1 == 'x1'] + [x2 for x2 in n if x2 == 'x2']", set()),
        ("[x1 for x1 in n if x1 == '测'] + [x2 for x2 in n if x2 == '测']", {"[x1 for x1 in n if x1 == '测']", "[x2 for x2 in n if x2 == '测']"}),
        # the parts of what is computed once are not computed again
        ("f(g(n)) and f(g(n))", {"f(g(n))"}),
        ("f(g(n)) and f(g(n)) and g(n)", {"f(g(n))", "g(n)"}),
        # what a function needs is computed when it is called
        ("f(n) and (lambda x1: f(n))", set()),
    ],
)  # fmt: skip
def test_parts_that_say_the_same_are_shared(source, wanted):
    assert shared(source) == wanted


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a == 'x' or a == 'y'", "a in ('x', 'y')"),
        ("(a == 'x' or a == 'y') or a == 'z'", "a in ('x', 'y', 'z')"),
        ("a == 'x' or (b or a == 'y')", "a == 'x' or b or a == 'y'"),
        ("a == 'x' or b == 'y'", "a == 'x' or b == 'y'"),
        ("a == 'x' or a == 1", "a == 'x' or a == 1"),
        ("a == 'x' or a != 'y'", "a == 'x' or a != 'y'"),
        ("a == 'x' and a == 'y'", "a == 'x' and a == 'y'"),
        ("f(a) or (b or ())", "f(a) or b or ()"),
        ("added(added(added(a, b), c), added(d, e))", "added(a, b, c, added(d, e))"),
        ("a < 1", "a < 1"),
    ],
)
def test_alternatives_and_sums_of_texts_are_put_together(source, wanted):
    assert merged(source) == wanted
