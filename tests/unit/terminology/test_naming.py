"""Names of codes in the language of their reader."""

import pytest

from fhir_server.terminology.code_system import build_code_system
from fhir_server.terminology.naming import Named, display_of

TOLD = [
    {"language": "zh", "value": "高血压"},
    {"language": "zh-TW", "value": "高血壓"},
    {"language": "de", "value": "Hypertonie"},
]


def named(*designations, language=None, display="Hypertension"):
    concept = {"code": "a", "designation": list(designations)} | ({"display": display} if display else {})
    system = build_code_system({"url": "urn:a", "content": "complete", "concept": [concept]})
    return Named(system.find("a"), None, language)


@pytest.mark.parametrize(
    ("languages", "display"),
    [
        (("zh",), "高血压"),
        (("zh-CN",), "高血压"),
        (("zh-TW",), "高血壓"),
        (("zh-tw",), "高血壓"),
        (("zh-Hant-TW",), "高血壓"),
        (("zh-HK",), "高血壓"),
        (("zh-Hans",), "高血压"),
        (("zh-SG",), "高血压"),
        (("fr", "de-CH"), "Hypertonie"),
        (("en", "zh"), "Hypertension"),
        (("fr",), "Hypertension"),
        ((), "Hypertension"),
    ],
)
def test_the_name_nearest_to_the_wanted_language_is_shown(languages, display):
    assert display_of(named(*TOLD), languages) == display


def test_the_usual_name_counts_in_the_language_of_its_system():
    chinese = named({"language": "zh-TW", "value": "高血壓"}, language="zh-CN", display="高血压")
    assert [display_of(chinese, (one,)) for one in ("zh", "zh-CN", "zh-TW", "en")] == [
        "高血压",
        "高血压",
        "高血壓",
        "高血压",
    ]


def test_a_code_without_a_usual_name_has_those_of_its_designations():
    assert display_of(named(*TOLD, language="zh", display=None), ("zh",)) == "高血压"
    assert display_of(named(*TOLD, display=None), ("en",)) is None
