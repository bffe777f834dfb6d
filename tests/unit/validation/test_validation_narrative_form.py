"""The form, links and languages of narratives."""

import pytest

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


def narrated(inner, attributes="", **more: object):
    text = {"status": "generated", "div": f"<div {XHTML}{attributes}>{inner}</div>"}
    return {"resourceType": "Basic", "code": {"text": "x"}, "text": text, **more}


def keys(check, resource, policy=STRICT):
    return {(s, k.removeprefix("validation.narrative-"), p) for s, k, p in check(resource, policy=policy)}


DIV = "Basic.text.div"


@pytest.mark.parametrize(
    ("inner", "key"),
    [
        ("<p>a <b>b</b> <i>c</i><br/></p><hr/>", None),
        ("<table><caption>c</caption><tr><th>a</th><td>b</td></tr></table>", None),
        ("<ul><li>a<ol><li>b</li></ol></li></ul><dl><dt>a</dt><dd>b</dd></dl>", None),
        ("<div><blockquote><p>a</p></blockquote></div>", None),
        ("<section>a</section>", "form-element"),
        ("<p><u>a</u></p>", "form-element"),
        ("<p>a<div>b</div></p>", "form-place"),
        ("<b>a<i>b<b>c</b></i></b>", "form-place"),
        ("<span>a<table><tr><td>b</td></tr></table></span>", "form-place"),
        ("<ul>a<li>b</li></ul>", "form-place"),
        ("<ul><p>b</p></ul>", "form-place"),
        ("<p>a</p><li>b</li>", "form-place"),
        ("<table><td>b</td></table>", "form-place"),
        ("<br>a</br>", "form-place"),
        ('<p data-x="y">a</p>', "form-attribute"),
        ('<p width="9" xml:lang="en" lang="en">a</p>', None),
        ('<a href="https://a.b/c?d=e#f">x</a>', None),
        ('<a href="https://a.b/c d">x</a>', "form-url"),
        ('<img src="data:image/png;base64,QQ==" alt="x"/>', None),
        ('<img src="data:image/png;base64" alt="x"/>', "form-url"),
    ],
)
def test_a_strict_policy_wants_the_form_of_basic_xhtml(check, inner, key):
    assert {(s, k, p) for s, k, p in keys(check, narrated(inner))} == ({("error", key, DIV)} if key else set())
    assert keys(check, narrated(inner), Policy()) == set()


@pytest.mark.parametrize(
    ("inner", "more"),
    [
        ('<a href="#x">a</a><p id="x">b</p>', {}),
        ('<a href="#x">a</a><a name="x">b</a>', {}),
        ('<a href="#x">a</a>', {"extension": [{"id": "x", "url": "http://example.org/e", "valueString": "x"}]}),
        ('<a href="#">a</a>', {}),
        ('<img src="#x" alt="a"/><p id="x">b</p>', {}),
    ],
)
def test_a_link_leads_to_an_id_of_the_resource(check, inner, more):
    policy = Policy(strict=True, extension_domains=("http://example.org",))
    assert {k for _, k, _ in keys(check, narrated(inner, **more), policy) if k == "target"} == set()


@pytest.mark.parametrize("inner", ['<a href="#x">a</a>', '<img src="#x" alt="a"/>'])
def test_a_link_to_nowhere_is_found(check, inner):
    resource = narrated(inner)
    assert keys(check, resource) == {("error", "target", DIV)}
    assert keys(check, resource, Policy()) == {("warning", "target", DIV)}


@pytest.mark.parametrize(
    ("attributes", "language", "expected"),
    [
        (' lang="zh" xml:lang="zh"', "zh-CN", set()),
        (' lang="en" xml:lang="en"', "zh-CN", {("warning", "language", "Basic.text")}),
        (' lang="en" xml:lang="en"', None, set()),
        ("", "zh-CN", set()),
    ],
)
def test_a_narrative_is_in_the_language_of_its_resource(check, attributes, language, expected):
    more = {"language": language} if language else {}
    assert keys(check, narrated("<p>a</p>", attributes, **more)) == expected


CONTROL = "http://hl7.org/fhir/StructureDefinition/narrative-language-control"
TWO = '<div lang="en" xml:lang="en">a</div><div lang="zh" xml:lang="zh">b</div>'


@pytest.mark.parametrize(
    ("code", "narrative", "expected"),
    [
        ("_no", ("<p>a</p>", "en"), set()),
        ("_no", (TWO, "en"), {"narrative-sections"}),
        ("_yes", (TWO, "en"), set()),
        ("_yes", ("<p>a</p>", "en"), {"narrative-no-sections"}),
        ("_resource", (TWO, "zh-CN"), set()),
        ("_resource", (TWO, "de"), {"narrative-section-missing"}),
        ("en", (TWO, "de"), set()),
        ("fr", (TWO, "de"), {"narrative-section-missing"}),
    ],
)
def test_a_profile_asks_for_sections_by_language(check_profile, profile, code, narrative, expected):
    text = {"id": "Basic.text", "extension": [{"url": CONTROL, "valueCode": code}]}
    found = check_profile(profile("Basic", text))(narrated(narrative[0], language=narrative[1]))
    assert {(k, p) for _, k, p in found} == {(f"validation.{key}", "Basic.text") for key in expected}
