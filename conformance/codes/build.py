"""Builds the facts about code systems that R4 uses and does not carry: UCUM, ISO 4217, ISO 3166, BCP-47 subtags.

    python conformance/codes/build.py SOURCES [FOLDER]

SOURCES is a folder with the six archives that `sources.toml` pins (one wheel, five npm packages); FOLDER (default: here)
receives the facts. Only the standard library is used, and the same sources give the same bytes of content.
NOTICE.md names the licences.
"""

import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
import tomllib
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NS = {"u": "http://unitsofmeasure.org/ucum-essence"}
Json = dict[str, Any]


class Sources:
    """The pinned archives of a folder, read by archive prefix and member path."""

    def __init__(self, folder: Path) -> None:
        pinned = tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))["sources"]
        self.files = {name: checked(folder / name, digest) for name, digest in pinned.items()}

    def text(self, archive: str, member: str) -> str:
        """Returns a member of the archive whose name starts so."""
        name = next(n for n in self.files if n.startswith(archive))
        raw = io.BytesIO(self.files[name])
        if name.endswith(".whl"):
            with zipfile.ZipFile(raw) as wheel:
                return wheel.read(member).decode("utf-8")
        with tarfile.open(fileobj=raw, mode="r:gz") as package:
            found = package.extractfile(f"package/{member}")
            assert found is not None, member
            return found.read().decode("utf-8")

    def json(self, archive: str, member: str) -> Any:
        """Returns a JSON member."""
        return json.loads(self.text(archive, member))


def checked(file: Path, digest: str) -> bytes:
    """Returns the bytes of a file.

    Raises:
        ValueError: its SHA-256 is not the pinned one.
    """
    raw = file.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != digest:
        msg = f"{file.name}: SHA-256 is {found}, sources.toml pins {digest}"
        raise ValueError(msg)
    return raw


def ucum(sources: Sources) -> Json:
    """Returns `{"version", "prefixes", "bases", "units"}`: codes unmodified, values as text, units by their definition."""
    root = ET.fromstring(sources.text("ucumvert", "ucumvert/vendor/ucum-essence.xml"))  # noqa: S314  pinned by its hash
    return {
        "version": root.attrib["version"],
        "prefixes": {p.attrib["Code"]: [value_of(p).attrib["value"], name_of(p)] for p in root.findall("u:prefix", NS)},
        "bases": {b.attrib["Code"]: name_of(b) for b in root.findall("u:base-unit", NS)},
        "units": {u.attrib["Code"]: unit(u) for u in root.findall("u:unit", NS)},
    }


def unit(element: ET.Element) -> Json:
    """Returns one unit: `value` times `unit`, or for a special one what its `function` is applied to."""
    value = value_of(element)
    function = value.find("u:function", NS)
    source = value if function is None else function
    facts: Json = {"name": name_of(element), "value": source.attrib["value"], "unit": source.attrib["Unit"]}
    facts |= {} if function is None else {"function": function.attrib["name"]}
    flags = {"metric": "isMetric", "arbitrary": "isArbitrary"}
    return facts | {name: True for name, flag in flags.items() if element.get(flag) == "yes"}


def value_of(element: ET.Element) -> ET.Element:
    """Returns the `value` child."""
    found = element.find("u:value", NS)
    assert found is not None
    return found


def name_of(element: ET.Element) -> str:
    """Returns the first name."""
    return element.findtext("u:name", "", NS).strip()


def code_system(url: str, name: str, version: str, concepts: list[Json]) -> Json:
    """Returns a complete CodeSystem resource."""
    told = {"caseSensitive": True, "content": "complete", "language": "en"}
    return {"resourceType": "CodeSystem", "url": url, "name": name, "version": version, **told, "concept": concepts}


def concept(code: str, english: Any, chinese: Any, **properties: str) -> Json:
    """Returns a concept with its further English and its Chinese names, and its properties."""
    facts: Json = {"code": code, "display": several(english)[0]}
    others = [("en", n) for n in several(english)[1:]] + [("zh-CN", n) for n in several(chinese)]
    if others:
        facts["designation"] = [{"language": language, "value": name} for language, name in others]
    if properties:
        facts["property"] = [{"code": k, "valueCode": v} for k, v in properties.items()]
    return facts


def currencies(sources: Sources) -> Json:
    """Returns ISO 4217's list one: English names as published, Chinese ones from CLDR."""
    chinese = sources.json("cldr-numbers", "main/zh-Hans/currencies.json")["main"]["zh-Hans"]["numbers"]["currencies"]
    listed = re.search(r"\[.*\]", sources.text("currency-codes", "data.js"), re.DOTALL)
    assert listed is not None
    published = re.search(r'"([\d-]+)"', sources.text("currency-codes", "iso-4217-publish-date.js"))
    assert published is not None
    concepts = [
        concept(c["code"], c["currency"], chinese.get(c["code"], {}).get("displayName"), numeric=c["number"])
        for c in json.loads(listed[0])
    ]
    return code_system("urn:iso:std:iso:4217", "Iso4217", published[1], concepts)


def countries(sources: Sources) -> Json:
    """Returns ISO 3166-1 with each country under its two letters, three letters and three digits, as R4 filters them."""
    english, chinese = (sources.json("i18n", f"langs/{lang}.json")["countries"] for lang in ("en", "zh"))
    rows = [r for r in sorted(sources.json("i18n", "codes.json")) if r[0] not in USER_ASSIGNED]
    concepts = []
    for form in range(3):
        for row in rows:
            others = {n: row[i] for i, n in enumerate(("alpha2", "alpha3", "numeric")) if i != form}
            concepts.append(concept(row[form], english[row[0]], chinese.get(row[0]), **others))
    return code_system("urn:iso:std:iso:3166", "Iso3166", "2024", concepts)


USER_ASSIGNED = ("XK",)  # Kosovo's code is in the list and not in ISO 3166-1


def several(names: Any) -> list[str]:
    """Returns the spellings: a list as it is, one as a list of one, None as none."""
    return names if isinstance(names, list) else [names] if names else []


def subtags(sources: Sources) -> Json:
    """Returns IANA's registry of language subtags by kind: `{"language": {"zh": ["Chinese", "中文"]}, ...}`."""
    chinese = {
        kind: sources.json("cldr-localenames", f"main/zh-Hans/{file}.json")["main"]["zh-Hans"]["localeDisplayNames"]
        for kind, file in (("language", "languages"), ("script", "scripts"))
    }
    names = {"language": chinese["language"]["languages"], "script": chinese["script"]["scripts"]}
    names["region"] = {k: several(v)[0] for k, v in sources.json("i18n", "langs/zh.json")["countries"].items()}
    found: Json = {"version": sources.json("language-subtag-registry", "data/json/meta.json")["File-Date"]}
    for entry in sources.json("language-subtag-registry", "data/json/registry.json"):
        kind = entry["Type"]
        code = entry.get("Subtag") or entry["Tag"]
        own = names.get(kind, {}).get(code)
        found.setdefault(kind, {})[code] = [entry["Description"][0], *([own] if own else [])]
    return found


def dump(value: Any) -> bytes:
    """Returns compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def build(folder: Path) -> dict[str, bytes]:
    """Returns the content of every facts file by name, uncompressed.

    Raises:
        ValueError: a source is not the pinned one.
    """
    sources = Sources(folder)
    systems = [currencies(sources), countries(sources)]
    return {
        "ucum.json.gz": dump(ucum(sources)),
        "code-systems.json.gz": dump({one["url"]: one for one in systems}),
        "subtags.json.gz": dump(subtags(sources)),
    }


def write(contents: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files, compressed without a time stamp, and prints the `[facts]` table of `sources.toml`."""
    print("[facts]")
    for name, content in contents.items():
        (folder / name).write_bytes(gzip.compress(content, 9, mtime=0))
        print(f'"{name}" = "{hashlib.sha256(content).hexdigest()}"')


if __name__ == "__main__":
    write(build(Path(sys.argv[1])), Path(sys.argv[2]) if len(sys.argv) > 2 else HERE)
