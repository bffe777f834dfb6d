"""Every profile of R4 and of ours, made anew from its differential, is the published snapshot in every fact.

What is known to differ stands in `data/snapshots/known.toml` with its reason; a difference more or less fails.
"""

import gzip
import json
import tomllib
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from fhir_server.data_files import data_folder
from fhir_server.definitions import facts
from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.shapes import Element
from fhir_server.definitions.snapshots import build_constraint, build_structure
from fhir_server.definitions.structures import snapshots_of

KNOWN = tomllib.loads((Path(__file__).parent / "data" / "snapshots" / "known.toml").read_text("utf-8"))
PUBLISHED = json.loads(gzip.decompress((data_folder("conformance") / "r4" / "differentials.json.gz").read_bytes()))
R4 = "http://hl7.org/fhir/StructureDefinition/"


def constraint_of(json_: dict[str, Any]):
    return build_constraint(json_, {})


@cache
def definitions():
    return load_definitions()


@cache
def snapshots():
    return snapshots_of(definitions().built.library)


def elements_of(resource: dict[str, Any]) -> dict[str, Element]:
    """Returns the elements by id, their invariants in the order of their keys."""
    built = build_structure(resource, constraint_of).elements
    return {e.id: replace(e, constraints=tuple(sorted(e.constraints, key=lambda c: c.key))) for e in built}


def differences(published: dict[str, Any], differential: list[dict[str, Any]]) -> list[str]:
    """Returns every difference as `id fact`, `missing id`, `extra id`, or `order`."""
    bare = {k: v for k, v in published.items() if k != "snapshot"}
    elements = snapshots().of(bare | {"differential": {"element": differential}})
    made = elements_of(bare | {"snapshot": {"element": elements}})
    wanted = elements_of(published)
    changed = [
        f"{id_} {f.name}"
        for id_ in wanted
        if id_ in made
        for f in fields(Element)
        if getattr(made[id_], f.name) != getattr(wanted[id_], f.name)
    ]
    missing = [f"missing {id_}" for id_ in wanted if id_ not in made]
    extra = [f"extra {id_}" for id_ in made if id_ not in wanted]
    disorder = ["order"] if not missing and not extra and list(made) != list(wanted) else []
    return changed + missing + extra + disorder


def differential_of(url: str) -> list[dict[str, Any]]:
    elements = PUBLISHED["differentials"][url]
    return [e | {"constraint": [PUBLISHED["constraints"][n] for n in e.get("constraint", ())]} for e in elements]


def test_every_profile_of_r4_is_tried():
    assert len(PUBLISHED["differentials"]) == 439
    assert {R4 + name for name in KNOWN} < PUBLISHED["differentials"].keys()


def test_a_profile_of_r4_made_from_its_differential_is_the_published_one():
    published = PUBLISHED["differentials"]
    found = {url.removeprefix(R4): differences(facts.snapshot(url), differential_of(url)) for url in published}
    known = {name: entry["differences"] for name, entry in KNOWN.items()}
    assert {name: d for name, d in found.items() if d} == known


def test_every_known_difference_has_its_reason():
    assert [name for name, entry in KNOWN.items() if len(entry["reason"]) < 20] == []


def own_profiles() -> list[dict[str, Any]]:
    return [r for r in definitions().conformance_resources("StructureDefinition") if "differential" in r]


def test_a_profile_of_ours_made_from_its_differential_is_the_compiled_one():
    found = {r["id"]: differences(r, r["differential"]["element"]) for r in own_profiles()}
    assert len(found) >= 59
    assert {name: d for name, d in found.items() if d} == {}
