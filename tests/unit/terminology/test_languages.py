"""Language tags, https://www.rfc-editor.org/info/bcp47."""

import pytest

from fhir_server.terminology import languages


@pytest.mark.parametrize(
    "tag",
    ["zh", "zh-CN", "ZH-cn", "zh-Hans-CN", "zh-yue", "zh-cmn-Hans-CN", "en-US", "es-419", "de-1901", "sl-rozaj-biske", "i-klingon",
     "en-GB-oed", "x-ours", "qaa-Qaaa-QM", "en-a-bbb-x-a-ccc", "de-CH-x-phonebk", "cmn", "bo-CN", "ug-Arab"],
)  # fmt: skip
def test_a_tag_of_registered_subtags_is_a_tag(tag):
    assert languages.is_tag(tag)


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "chinese",
        "zh_CN",
        "zz",
        "zh-ZZZ",
        "en-1",
        "zh-Xxxx",
        "de-99999",
        "en-",
        "-en",
        "x-",
        "a" * 200,
        "zh-CN-CN",
        "中文",
    ],
)
def test_other_text_is_no_tag(tag):
    assert not languages.is_tag(tag)
    assert languages.name_of(tag) is None


@pytest.mark.parametrize(
    ("tag", "language", "name"),
    [
        ("zh-CN", None, "Chinese (China)"),
        ("zh-Hant-HK", "zh-CN", "中文 (繁体, 香港)"),
        ("aao", "zh", "Algerian Saharan Arabic"),
        ("i-klingon", "zh", "Klingon"),
    ],
)
def test_a_tag_has_a_name(tag, language, name):
    assert languages.name_of(tag, language) == name


@pytest.mark.parametrize(
    ("header", "order"),
    [
        (None, ()),
        ("*", ()),
        ("zh-CN", ("zh-CN",)),
        ("en;q=0.5, zh;q=0.9, *;q=0.1", ("zh", "en")),
        ("en;q=x,zh", ("en", "zh")),
        ("en; q=0.5, zh", ("zh", "en")),
        ("en ;Q=0.5, zh", ("zh", "en")),
        ("zh;q=0, en;q=0.1", ("en",)),
    ],
)
def test_preferences_go_by_weight_then_order(header, order):
    assert languages.preferences(header) == order
