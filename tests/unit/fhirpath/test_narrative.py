"""fhirpath.narrative: htmlChecks()."""

import pytest

from fhir_server.fhirpath.narrative import is_narrative

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


@pytest.mark.parametrize(
    "inside",
    [
        "text",
        "<p>签约&nbsp;居民 &lt;1&gt; &#169;</p>",
        '<img src="#a" alt="x"/>',
        '<a href="https://x.example/">x</a>',
        '<table><tr><td style="color: red">1</td></tr></table>',
        "<!-- c -->x",
    ],
)
def test_allowed_content_is_narrative(inside):
    assert is_narrative(f"<div {XHTML}>{inside}</div>")


@pytest.mark.parametrize(
    "text",
    [
        "", "plain", "<p>x</p>", f"<div {XHTML}/>", f"<div {XHTML}>   </div>", f"<div {XHTML}>x", f"<div {XHTML}><script>x</script></div>",
        f'<div {XHTML}><p onclick="x()">x</p></div>', f'<div {XHTML}><a href=" javascript:x()">x</a></div>', f"<div {XHTML}><form>x</form></div>",
        f'<div {XHTML}><p style="background: url(http://x.example/)">x</p></div>', f"<!DOCTYPE div []><div {XHTML}>x</div>",
        f'<!DOCTYPE div [<!ENTITY a "b">]><div {XHTML}>&a;</div>', f"<?x y?><div {XHTML}>x</div>", f"<div {XHTML}>&unknown;</div>",
        '<div xmlns="http://other.example/">x</div>', f"<div {XHTML}>x</div><div {XHTML}>y</div>", f"<div {XHTML}><iframe/>x</div>",
    ],
)  # fmt: skip
def test_anything_else_is_not(text):
    assert not is_narrative(text)
