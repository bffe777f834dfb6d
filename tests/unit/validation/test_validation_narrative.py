"""Narratives, https://hl7.org/fhir/R4/narrative.html."""

import pytest

from fhir_server.validation.rules.narrative import check_narrative

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


def keys(text):
    return [f.key.removeprefix("validation.narrative-") for f in check_narrative(text, None) or ()]


@pytest.mark.parametrize(
    "inner",
    [
        "<p>张三,男</p>",
        '<a href="https://a.b/c">x</a><a href="#id">y</a><a href="Patient/1">z</a><a href="mailto:a@b.c">m</a>',
        '<img src="data:image/png;base64,QQ==" alt="x"/>',
        '<p style="color: red" class="a" id="b">x</p><!-- note --><br/>',
        "<table><tbody><tr><td>1</td></tr></tbody></table>",
        "a &lt; b &amp; c &#160;",
    ],
)
def test_a_plain_narrative_is_fine(inner):
    assert keys(f"<div {XHTML}>{inner}</div>") == []


@pytest.mark.parametrize(
    ("inner", "key"),
    [
        ("<script>alert(1)</script>", "element"),
        ("<form>x</form>", "element"),
        ("<iframe>x</iframe>", "element"),
        ('<p onclick="x()">x</p>', "attribute"),
        ('<p ONCLICK="x()">x</p>', "attribute"),
        ('<a href="javascript:x()">x</a>', "link"),
        ('<a href=" java&#10;script:x()">x</a>', "link"),
        ('<a href="data:text/html,x">x</a>', "link"),
        ('<img src="vbscript:x"/>', "link"),
        ('<p style="background: url(http://a.b)">x</p>', "style"),
        ("  \n ", "empty"),
        ("<p/>", "empty"),
        ("<p>x", "xml"),
        ("&nbsp;", "entity"),
        ("&amp;&#160;&lt;&copy;", "entity"),
        ("a & b", "xml"),
        ("<?php x ?>y", "declaration"),
    ],
)
def test_what_runs_loads_or_is_no_xhtml_is_refused(inner, key):
    assert keys(f"<div {XHTML}>{inner}</div>") == [key]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("hello", "xml"),
        ("<div>x</div>", "root"),
        (f"<p {XHTML}>x</p>", "root"),
        (f"<!DOCTYPE div><div {XHTML}>x</div>", "declaration"),
        (f'<!DOCTYPE d [<!ENTITY a "aaaa">]><div {XHTML}>&a;</div>', "declaration"),
    ],
)
def test_the_root_is_a_div_without_declarations(text, key):
    assert keys(text) == [key]


@pytest.mark.parametrize(("value", "key"), [(5, "validation.json-type"), (None, "validation.null")])
def test_a_narrative_is_a_string(value, key):
    assert [f.key for f in check_narrative(value, None)] == [key]


def test_deep_markup_is_a_finding_or_fine_but_no_failure():
    deep = f"<div {XHTML}>" + "<b>" * 20_000 + "x" + "</b>" * 20_000 + "</div>"
    assert keys(deep) in ([], ["xml"])
