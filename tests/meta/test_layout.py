"""The rooms: who may import whom, and that every data folder is complete."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_imports_point_down_only():
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(program)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_room_has_its_floor():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0][
        "layers"
    ]
    listed = {room.strip().partition(".")[0] for layer in layers for room in layer.split("|")}
    rooms = {p.stem for p in (ROOT / "fhir_server").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms - {"__init__"} == listed


def test_every_form_has_its_map_and_cases():
    forms = {p.parent.name for p in (ROOT / "mappings").glob("*/form.yaml")}
    assert len(forms) >= 7
    assert {p.parent.name for p in (ROOT / "mappings").glob("*/map.yaml")} == forms
    assert {p.parent.parent.name for p in (ROOT / "mappings").glob("*/cases/*/")} == forms


def test_every_dialect_speaks_every_form():
    forms = {p.parent.name for p in (ROOT / "mappings").glob("*/form.yaml")}
    dialects = {p.parent.name for p in (ROOT / "mappings" / "_dialects").glob("*/dialect.yaml")}
    assert dialects >= {"national", "chis"}
    spoken = {(p.parent.name, p.stem) for p in (ROOT / "mappings" / "_dialects").glob("*/*.yaml")}
    assert {(d, f) for d in dialects for f in forms} - spoken == set()


def test_every_resource_folder_says_what_it_offers():
    folders = {p.name for p in (ROOT / "conformance" / "resources").iterdir() if p.is_dir()}
    described = {p.parent.name for p in (ROOT / "conformance" / "resources").glob("*/type.toml")}
    assert len(folders) >= 16
    assert folders == described


def test_a_decision_is_numbered_and_titled():
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [f.name[:4] for f in files] == [f"{n:04d}" for n in range(1, len(files) + 1)]
    for file in files:
        assert file.read_text("utf-8").startswith(f"# {int(file.name[:4])}. ")
