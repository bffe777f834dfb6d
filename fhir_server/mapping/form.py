"""The form record's definition: `mappings/<form>/form.yaml` -> `Form`. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from fhir_server.mapping.yaml_files import BrokenMapping, only_keys, read_yaml, text_of

TYPES = frozenset({"string", "integer", "decimal", "date", "datetime", "code", "boolean", "group"})
_ATTRIBUTES = frozenset(
    {"label", "type", "required", "repeats", "max", "unit", "ucum", "units", "range", "pattern", "options", "unknown"}
    | {"check", "birth", "sex", "document", "fields", "note", "loinc", "dataElement", "section"}
)
_FORM_KEYS = frozenset(
    {"form", "title", "specification", "note", "key", "key_fallback", "fields", "rules", "across", "places"}
)
_RULE_SHAPES = frozenset(
    {"greater", "before", "not_after", "not_future", "requires", "forbids", "same", "any_of", "alone"}
)
_TWO_SIDED = frozenset({"forbids", "same"})
_ACROSS_SHAPES = frozenset({"unique", "no_overlap"})
_RULE_KEYS = {"key", "en", "zh", "severity"}
_PLACE = re.compile(r"([A-Za-z]\w*)(?:\[([1-9]\d*)\])?(?:\.([A-Za-z]\w*))?")


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a code field; `has_text` means that free words may follow it."""

    code: str
    display: str
    has_text: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `path` is its name, below a group `group.name`; `low` and `high` are inclusive.

    `units` are other units that a source may use: unit -> factor into `unit`. `document` names the field that tells what
    kind of document a number is of.
    """

    name: str
    path: str
    label: str
    type: str
    required: bool = False
    repeats: bool = False
    max: int | None = None
    unit: str = ""
    ucum: str = ""
    units: Mapping[str, Decimal] = field(default_factory=dict)
    low: int | Decimal | None = None
    high: int | Decimal | None = None
    pattern: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    unknown: str = "keep"
    check: str = ""
    birth: str = ""
    sex: str = ""
    document: str = ""
    fields: Mapping[str, "Field"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule between fields: its shape (`greater`, `requires`, ...), the arguments as written, and its sentences.

    It can only be broken where the field `trigger` is filled ("" where any may be empty), and one of `beside` (or there are none).
    """

    key: str
    shape: str
    arguments: Any
    fields: tuple[str, ...]
    en: str
    zh: str
    is_warning: bool
    trigger: str = ""
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Form:
    """A form: its fields, what identifies a record, the rules between fields, and those between the records of a run.

    `identities` are the fields that are citizen numbers. `places` names the field at which a rule of a profile about a
    whole resource is told.
    """

    name: str
    title: str
    specification: str
    key: tuple[str, ...]
    key_fallback: tuple[str, ...]
    fields: Mapping[str, Field]
    rules: tuple[Rule, ...]
    across: tuple[Rule, ...] = ()
    identities: tuple[Field, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)

    def find(self, path: str) -> Field | None:
        """Returns the field of a path (`sbp`, `drugs.name`) or place (`drugs[1].name`), or None."""
        match = _PLACE.fullmatch(path)
        found = self.fields.get(match[1]) if match else None
        if found is None or match is None or not match[3]:
            return found
        return found.fields.get(match[3])

    def each_field(self) -> Iterator[Field]:
        """Yields every field, a group before those inside it."""
        for top in self.fields.values():
            yield top
            yield from top.fields.values()


def read_form(path: Path) -> Form:
    """Reads a `form.yaml`.

    Raises:
        BrokenMapping: an attribute, type, option or rule is not one that the language knows, naming the place.
    """
    file = f"{path.parent.name}/{path.name}"
    raw = only_keys(read_yaml(path), _FORM_KEYS, file=file, place="")
    for wanted in ("form", "title", "key", "fields"):
        if wanted not in raw:
            raise BrokenMapping(file, wanted, "is missing")
    fields = {n: _field(n, f, file=file, parent="") for n, f in raw["fields"].items()}
    form = Form(
        raw["form"],
        raw["title"],
        text_of(raw.get("specification")),
        tuple(raw["key"]),
        tuple(raw.get("key_fallback") or ()),
        fields,
        _rules(raw, "rules", _RULE_SHAPES, file=file),
        _rules(raw, "across", _ACROSS_SHAPES, file=file),
        tuple(f for f in fields.values() if f.check == "id-card"),
        raw.get("places") or {},
    )
    _check_references(form, file)
    return form


def _field(name: str, raw: Any, *, file: str, parent: str) -> Field:
    path = f"{parent}.{name}" if parent else name
    place = f"fields.{path}"
    entry = only_keys(raw, _ATTRIBUTES, file=file, place=place)
    if entry.get("type") not in TYPES:
        raise BrokenMapping(file, f"{place}.type", f"{entry.get('type')!r} is none of {', '.join(sorted(TYPES))}")
    if (entry["type"] == "code") != ("options" in entry):
        raise BrokenMapping(file, f"{place}.options", "a code field has options, and no other field has")
    low, high = entry.get("range") or (None, None)
    return Field(
        name,
        path,
        text_of(entry.get("label")) or name,
        entry["type"],
        required=bool(entry.get("required")),
        repeats=bool(entry.get("repeats")),
        max=entry.get("max"),
        unit=text_of(entry.get("unit")),
        ucum=text_of(entry.get("ucum")),
        units={unit: Decimal(text_of(factor)) for unit, factor in (entry.get("units") or {}).items()},
        low=low,
        high=high,
        pattern=entry.get("pattern") or "",
        options=_options(entry.get("options") or {}),
        unknown=_unknown(entry, file=file, place=place),
        check=_check(entry, file=file, place=place),
        birth=entry.get("birth") or "",
        sex=entry.get("sex") or "",
        document=entry.get("document") or "",
        fields={n: _field(n, f, file=file, parent=path) for n, f in (entry.get("fields") or {}).items()},
    )


def _options(raw: Mapping[str, Any]) -> dict[str, Option]:
    return {
        code: Option(code, text_of(o["display"]), bool(o.get("text")))
        if isinstance(o, dict)
        else Option(code, text_of(o))
        for code, o in raw.items()
    }


def _unknown(entry: Mapping[str, Any], *, file: str, place: str) -> str:
    chosen = str(entry.get("unknown", "keep"))
    if chosen not in {"keep", "reject"}:
        raise BrokenMapping(file, f"{place}.unknown", f"keep or reject, not {chosen!r}")
    return chosen


def _check(entry: Mapping[str, Any], *, file: str, place: str) -> str:
    chosen = str(entry.get("check") or "")
    if chosen not in {"", "id-card"}:
        raise BrokenMapping(file, f"{place}.check", f"id-card is the only check, not {chosen!r}")
    return chosen


def _rules(raw: Mapping[str, Any], part: str, known: frozenset[str], *, file: str) -> tuple[Rule, ...]:
    return tuple(_rule(r, known, file=file, place=f"{part}[{n}]") for n, r in enumerate(raw.get(part) or ()))


def _rule(raw: Any, known: frozenset[str], *, file: str, place: str) -> Rule:
    entry = only_keys(raw, known | _RULE_KEYS, file=file, place=place)
    shapes = [s for s in known if s in entry]
    if len(shapes) != 1 or not {"key", "en", "zh"} <= entry.keys():
        raise BrokenMapping(file, place, f"a rule has key, en, zh and one of {', '.join(sorted(known))}")
    shape = shapes[0]
    arguments = [entry[shape]] if isinstance(entry[shape], str) else entry[shape]
    fields = _named(arguments) if isinstance(arguments, dict) else tuple(arguments)
    if len({name.rpartition(".")[0] for name in fields}) > 1:
        raise BrokenMapping(file, place, f"one rule names fields of the record, or of one group: {', '.join(fields)}")
    is_warning = entry.get("severity") == "warning"
    trigger = arguments.get("field", "").partition(".")[0] if isinstance(arguments, dict) else ""
    beside = frozenset(name.partition(".")[0] for name in fields[1:]) if shape in _TWO_SIDED else frozenset()
    return Rule(entry["key"], shape, arguments, fields, entry["en"], entry["zh"], is_warning, trigger, beside)


def _named(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that the arguments of a rule name, whatever its shape."""
    then = [name for f in arguments.get("then", ()) for name in (f if isinstance(f, list) else [f])]
    return (*(arguments[n] for n in ("field", "as", "at", "of", "start", "end") if n in arguments), *then)


def _check_references(form: Form, file: str) -> None:
    named = {"key": form.key, "key_fallback": form.key_fallback}
    named |= {f"rules.{rule.key}": rule.fields for rule in (*form.rules, *form.across)}
    named |= {f"fields.{f.path}.birth": (f.birth,) for f in form.each_field() if f.birth}
    named |= {f"fields.{f.path}.sex": (f.sex,) for f in form.each_field() if f.sex}
    named |= {f"fields.{f.path}.document": (f.document,) for f in form.each_field() if f.document}
    named |= {f"places.{key}": (place,) for key, place in form.places.items()}
    for place, fields in named.items():
        for name in fields:
            if form.find(name) is None:
                raise BrokenMapping(file, place, f"unknown field {name!r}")
