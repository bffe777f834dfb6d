"""The facts in `conformance/codes` are those whose hashes are pinned, and cover what is published."""

import gzip
import hashlib
import tomllib
from pathlib import Path

from fhir_server.data_files import data_folder
from fhir_server.fhir import ucum
from fhir_server.terminology import languages
from fhir_server.terminology.sources import shipped

FOLDER = data_folder("conformance") / "codes"
EXAMPLES = Path(__file__).parent / "data" / "ucum-examples.txt"


def test_the_facts_are_those_whose_hashes_are_pinned():
    pinned = tomllib.loads((FOLDER / "sources.toml").read_text("utf-8"))["facts"]
    found = {f.name: hashlib.sha256(gzip.decompress(f.read_bytes())).hexdigest() for f in FOLDER.glob("*.gz")}
    assert found == pinned


def test_all_published_ucum_examples_are_units_but_torr():
    codes = EXAMPLES.read_text("utf-8").splitlines()
    assert len(codes) == 848
    assert [code for code in codes if not ucum.is_valid(code)] == ["Torr"]


def test_currencies_and_countries_are_complete_and_named_in_chinese():
    currencies, countries = (
        {one["code"]: one for one in shipped()[url]["concept"]}
        for url in ("urn:iso:std:iso:4217", "urn:iso:std:iso:3166")
    )
    assert (len(currencies), len(countries)) == (179, 3 * 249)
    chinese = {"language": "zh-CN", "value": "人民币"}
    assert chinese in currencies["CNY"]["designation"]
    assert {"CN", "CHN", "156"} <= countries.keys()
    assert "XK" not in countries


def test_the_language_registry_is_whole():
    assert {kind: len(table) for kind, table in languages._registry().items()} == {
        "language": 8268, "extlang": 256, "script": 225, "region": 305, "variant": 134, "grandfathered": 26, "redundant": 67,
    }  # fmt: skip
