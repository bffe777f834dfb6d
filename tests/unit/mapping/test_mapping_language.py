"""The language of maps and dialects, on a mapping of a dozen lines."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fhir_server.errors import NotFound
from fhir_server.mapping import BrokenMapping, load_mappings
from fhir_server.mapping.ids import derived_id, namespace_of
from fhir_server.mapping.resource_plan import Made
from fhir_server.mapping.trace import places_of

NOW = datetime(2025, 7, 1, tzinfo=UTC)

FORM = """
form: demo
title: 示例
key: [no]
key_fallback: [person, day]
fields:
  no: {label: 编号, type: string}
  person: {label: 人, type: string}
  day: {label: 日期, type: date, required: true}
  sex: {label: 性别, type: code, options: {"1": 男, "2": 女}}
  sure: {label: 确定, type: code, unknown: reject, options: {01: 甲, 1: 乙}}
  tags: {label: 标签, type: code, repeats: true, options: {a: 甲, b: {display: 乙, text: true}}}
  weight: {label: 体重, type: decimal, unit: kg, ucum: kg, range: [1, 500]}
  price: {label: 金额, type: decimal}
  note: {label: 备注, type: string}
  idCard: {label: 身份证号, type: string, check: id-card, birth: born}
  born: {label: 出生日期, type: date}
  house: {label: 户号, type: string}
  lines:
    label: 行
    type: group
    repeats: true
    max: 3
    fields:
      name: {label: 名, type: string, required: true}
      dose: {label: 量, type: decimal}
      unit: {label: 单位, type: string}
rules:
  - {key: order, before: [born, day], en: "born before", zh: 出生在前}
  - {key: soft, requires: {field: sex, is: ["2"], then: [note]}, severity: warning, en: "a note", zh: 要备注}
"""

DIALECT = """
dialect: plain
source: town
nulls: ["", "无", "1900-01-01"]
columns: folded
"""

COLUMNS = """
form: demo
tables:
  - name: main
    needs: [no, day]
    columns:
      no: no
      人: {fields: [person]}
      day: day
      sex: {field: sex, codes: sex}
      tags: tags
      体重(斤): {field: weight, factor: "0.5"}
      金额: {field: price, nulls: ["0"]}
      note: note
      id: idCard
      born: born
      house: house
      secret: {drop: true}
      一: "lines[1].name"
      三: {fields: ["lines[3].name", "lines[3].dose"], match: "(.+?) ([0-9]+)", else: "lines[3].name", write: "{} {}"}
  - name: sub
    needs: [parent, name]
    group: lines
    json: subs
    parent: {parent: no}
    columns: {name: name, dose: dose, unit: unit}
codes:
  sex: {M: "1", F: "2", X: null}
aliases: {day: [日期]}
"""


def resources(text):
    return (
        "form: demo\nversion: '1'\ntables:\n  t: {'1': {system: '{B}/s', code: m, display: M}, default: {system: '{S}/s', code: z}}\nresources:\n"
        + text
    )


def one(body):
    return resources(f"  - {{name: a, type: Basic, entity: e, key: [no], when: day, body: {{{body}}}}}\n")


def nested(depth):
    return "=no" if not depth else f"{{$each: tags, do: {nested(depth - 1)}}}"


@pytest.fixture
def build(tmp_path):
    def write(maps, *, form=FORM, columns=COLUMNS):
        for name, text in (
            ("demo/form.yaml", form),
            ("demo/map.yaml", maps),
            ("_dialects/plain/dialect.yaml", DIALECT),
            ("_dialects/plain/demo.yaml", columns),
        ):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return load_mappings("http://b", tmp_path).mapper("demo", "plain")

    return write


def mapped(mapper, **values: object):
    record, _ = mapper.read({"no": "N1", "day": "2025-06-01"} | values)
    record, _ = mapper.check(record, now=NOW)
    result = mapper.map(record, now=NOW)
    return [entry["resource"] for entry in result.bundle["entry"][:-1]]


def body(mapper, **values: object):
    (resource,) = mapped(mapper, **values)
    return {k: v for k, v in resource.items() if k not in {"resourceType", "id", "meta", "identifier"}}


@pytest.mark.parametrize(
    ("template", "values", "made"),
    [
        ("x: =note", {"note": "n"}, {"x": "n"}),
        ("x: {$code: sex, table: t}", {"sex": "1"}, {"x": "m"}),
        ("x: {$code: sex, table: t}", {"sex": "2"}, {"x": "z"}),
        ("x: {$code: sex}", {"sex": "2"}, {"x": "2"}),
        ("x: {$coding: sex, table: t}", {"sex": "1"}, {"x": {"system": "http://b/s", "code": "m", "display": "M"}}),
        (
            "x: {$concept: sex}",
            {"sex": "1"},
            {"x": {"coding": [{"system": "http://b/CodeSystem/demo-sex", "code": "1", "display": "男"}], "text": "男"}},
        ),
        (
            "x: {$concept: sex}",
            {"sex": "9"},
            {"x": {"coding": [{"system": "http://b/sid/town/code/demo-sex", "code": "9"}], "text": "9"}},
        ),
        ("x: {$quantity: weight}", {"weight": Decimal("65.50")}, {"x": {"value": Decimal("65.50"), "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}}),
        ("x: {$money: price}", {"price": 12}, {"x": {"value": 12, "currency": "CNY"}}),
        ('x: {$text: "{note}：{sex}"}', {"note": "n", "sex": "1"}, {"x": "n：男"}),
        ('x: {$text: ["a {note}", "b {price}", "c {sex}"]}', {"note": "n", "sex": "2"}, {"x": "a n\nc 女"}),
        ('x: {$base64: "{note}"}', {"note": "测"}, {"x": "5rWL"}),
        ("x: {$first: [=price, =note]}", {"note": "n"}, {"x": "n"}),
        ("x: {$when: {field: sex, is: ['1']}, then: y, else: n}", {"sex": "1"}, {"x": "y"}),
        ("x: {$when: {field: sex, is: ['1']}, then: y, else: n}", {}, {"x": "n"}),
        ("x: {$when: {not: {any: [sex, price]}}, then: =note}", {"note": "n"}, {"x": "n"}),
        ("x: {$when: {field: person, same: house}, then: true}", {"person": "p", "house": "p"}, {"x": True}),
        ("x: {$when: {field: lines.unit, is: mg}, then: 1}", {"lines": [{"name": "l", "unit": "mg"}]}, {"x": 1}),
        ("x: [{$each: tags, do: {c: =.}}, {d: =note}]", {"tags": ["a", "b"], "note": "n"}, {"x": [{"c": "a"}, {"c": "b"}, {"d": "n"}]}),
        ("x: {$each: lines, do: {n: =.name, k: v}}", {"lines": [{"name": "l"}, {"name": "m"}]}, {"x": [{"n": "l", "k": "v"}, {"n": "m", "k": "v"}]}),
        ("x: {$id: idCard, system: urn:s, use: official}", {"idCard": "11010519491231002X"}, {"x": {"use": "official", "system": "urn:s", "value": "11010519491231002X"}}),
        ("x: {$id: idCard, system: urn:s}", {"idCard": "110105194912310021"}, {"x": {"system": "http://b/sid/town/unverified-id", "value": "110105194912310021"}}),
        ("x: {$ref: Patient, entity: patient, key: [person], display: note}", {"note": "n"}, {"x": {"type": "Patient", "display": "n"}}),
    ],
)  # fmt: skip
def test_each_directive_gives_its_shape(build, template, values, made):
    assert body(build(one(f"{template}, day: =day")), **values) == made | {"day": "2025-06-01"}


@pytest.mark.parametrize(
    "template",
    [
        "x: {y: =note, k: constant}",
        "x: [{y: {z: =note}, k: constant}]",
        "x: {$each: lines, do: {y: =.name, k: constant}}",
        'x: {$text: "a {note}"}',
        "x: {$ref: Patient, entity: patient, key: [person], display: note}",
        "x: {$self: b}",
    ],
)
def test_what_has_only_empty_dynamic_parts_vanishes(build, template):
    second = "  - {name: b, type: Basic, entity: f, key: [no], when: note, body: {y: =note}}\n"
    assert body(build(one(f"{template}, day: =day") + second)) == {"day": "2025-06-01"}


def test_a_reference_is_the_derived_id_and_self_the_resource_itself(build):
    maps = one("p: {$ref: Patient, entity: patient, key: [person]}, s: [{$self: b}]")
    maps += "  - {name: b, type: Basic, entity: f, key: [no, .name], each: lines, when: .name, body: {y: =.name}}\n"
    first, *lines = mapped(build(maps), person="P1", lines=[{"name": "l"}, {"name": "m"}, {"name": "l"}])
    patient = derived_id(namespace_of("http://b", "town"), "patient", ("P1",))
    assert first["p"] == {"reference": f"Patient/{patient}"}
    assert first["s"] == [{"reference": f"Basic/{line['id']}"} for line in lines]
    assert [line["identifier"] for line in lines] == [
        [{"system": "http://b/sid/town/f", "value": value}] for value in ("N1#l", "N1#m", "N1#l#2")
    ]


def test_the_engine_adds_id_source_identifier_and_provenance(build):
    record, _ = build(one("n: =note")).read({"no": "N1", "day": "2025-06-01", "note": "n", "price": 3})
    mapper = build(one("n: =note"))
    result = mapper.map(record, now=NOW)
    resource, provenance = (entry["resource"] for entry in result.bundle["entry"])
    expected = derived_id(namespace_of("http://b", "town"), "e", ("N1",))
    assert (resource["id"], resource["meta"]) == (expected, {"source": "http://b/source/town"})
    assert resource["identifier"] == [{"system": "http://b/sid/town/e", "value": "N1"}]
    assert provenance["target"] == [{"reference": f"Basic/{expected}"}]
    assert provenance["recorded"] == "2025-07-01T00:00:00.000Z"
    assert result.bundle["entry"][0]["request"] == {"method": "PUT", "url": f"Basic/{expected}"}
    assert result.unused == ("price",)


def test_an_empty_key_takes_the_fallback_and_without_it_there_is_no_bundle(build):
    mapper = build(one("n: =day"))
    record, _ = mapper.read({"person": "P1", "day": "2025-06-01"})
    assert mapper.map(record, now=NOW).bundle["entry"][0]["resource"]["identifier"][0]["value"] == "P1#2025-06-01"
    record, _ = mapper.read({"day": "2025-06-01"})
    result = mapper.map(record, now=NOW)
    assert (result.bundle, [i.key for i in result.issues]) == (None, ["mapping.key-missing"])


def test_a_source_name_of_its_own_gives_ids_of_its_own(build, tmp_path):
    build(one("n: =day"))
    mappings = load_mappings("http://b", tmp_path)
    ids = {mapped(mappings.mapper("demo", "plain", source=s))[0]["id"] for s in ("town", "city", None)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({}, []),
        ({"day": ""}, [("mapping.required", "day")]),
        ({"weight": 501}, [("mapping.too-large", "weight")]),
        ({"weight": Decimal("0.5")}, [("mapping.too-small", "weight")]),
        ({"weight": "x"}, [("mapping.wrong-type", "weight")]),
        ({"sure": "2"}, [("mapping.code-refused", "sure")]),
        ({"lines": [{"dose": 1}]}, [("mapping.required", "lines[1].name")]),
        ({"lines": [{"name": "n"}] * 4}, [("mapping.too-many", "lines")]),
        ({"colour": "red"}, [("mapping.unknown-field", "")]),
        ({"born": "2025-06-01"}, [("order", "day")]),
        ({"born": "2025"}, [("order", "day")]),
        ({"born": "2024"}, []),
        ({"sex": "2"}, [("soft", "note")]),
        ({"idCard": "110105194912310021"}, [("mapping.id-card-checksum", "idCard")]),
        ({"idCard": "11010519491231002X", "born": "1949-12-30"}, [("mapping.id-card-birth-date", "idCard")]),
        ({"idCard": "11010519491231002X", "born": "1949"}, []),
        ({"idCard": "110105491231002"}, [("mapping.id-card-15", "idCard")]),
    ],
)
def test_records_are_checked_by_schema_rules_and_identity(build, values, keys):
    mapper = build(one("n: =day"))
    record, _ = mapper.read({"no": "N1", "day": "2025-06-01"} | values)
    _, issues = mapper.check(record, now=NOW)
    assert [(i.key, i.path) for i in issues] == keys


def test_failing_numbers_are_errors_when_the_command_says_so(build):
    mapper = build(one("n: =day"))
    record, _ = mapper.read({"no": "N1", "day": "2025-06-01", "idCard": "110105194912310021"})
    severities = [mapper.check(record, now=NOW, bad_id=b)[1][0].severity.value for b in ("warn", "reject")]
    assert severities == ["warning", "error"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"maps": one("x: =nothing")}, "demo/map.yaml: resources[0].body.x: unknown field 'nothing'"),
        ({"maps": one("x: {$nothing: a}")}, "demo/map.yaml: resources[0].body.x: one directive is expected"),
        ({"maps": one("x: {$concept: sex, table: nothing}")}, "nothing.yaml"),
        ({"maps": one("x: {$concept: note}")}, "note is no code field; name a table"),
        ({"maps": one("x: {$self: nothing}")}, "no resource of this map is called 'nothing'"),
        ({"maps": one("x: {$each: note, do: y}")}, "note does not repeat"),
        ({"maps": one("x: =.name")}, "'.name' outside of each"),
        ({"maps": one("x: 1").replace("key: [no]", "key: []")}, "key is missing"),
        ({"maps": one(f"x: {nested(17)}")}, "directives are nested more than 16 deep"),
        ({"maps": one("x: {$quantity: weight, colour: red}")}, "unknown option 'colour'"),
        ({"maps": one("x: {$when: {colour: red}, then: y}")}, "a condition is a field"),
        ({"maps": one("x: 1") + "  - {name: a, type: Basic, entity: e, key: [no], body: {}}\n"}, "unique: a"),
        ({"maps": one("x: 1").replace("form: demo", "form: other")}, "demo/map.yaml: form: 'demo' is expected"),
        ({"maps": one("x: 1, x: 2")}, "the key 'x' stands twice"),
        ({"form": FORM.replace("type: date, required", "type: day, required")}, "demo/form.yaml: fields.day.type"),
        ({"form": FORM.replace("key: [no]", "key: [nothing]")}, "demo/form.yaml: key: unknown field 'nothing'"),
        ({"form": FORM.replace("before: [born, day]", "before: [born, x]")}, "rules.order: unknown field 'x'"),
        ({"form": FORM.replace("required: true", "requierd: true")}, "unknown key 'requierd'"),
        ({"columns": COLUMNS.replace("born: born", "born: birth")}, "plain/demo.yaml: tables[0].columns.born"),
        ({"columns": COLUMNS.replace('F: "2"', 'F: "3"')}, "main.sex.codes[F]: sex has no option '3'"),
        ({"columns": COLUMNS.replace("codes: sex}", "codes: gender}")}, "unknown code table 'gender'"),
        ({"columns": COLUMNS.replace("needs: [no, day]", "needs: [no, days]")}, "'days' is no column of this table"),
        ({"columns": COLUMNS.replace("group: lines", "group: line")}, "'line' is no group of demo"),
        ({"columns": COLUMNS.replace("parent: no}", "parent: nr}")}, "tables[1].parent: unknown field 'nr'"),
    ],
)
def test_a_broken_file_names_itself_and_the_place(build, broken, says):
    with pytest.raises(BrokenMapping) as stopped:
        build(**({"maps": one("x: =note")} | broken))
    assert says in str(stopped.value)


def test_loops_within_loops_as_deep_as_the_language_allows(build):
    found = body(build(one(f"x: {nested(16)}")), tags=["a"])["x"]
    for _ in range(16):
        (found,) = found
    assert found == "N1"


def test_an_unknown_form_or_dialect_is_told_with_the_known_ones(build, tmp_path):
    build(one("x: =note"))
    mappings = load_mappings("http://b", tmp_path)
    with pytest.raises(NotFound, match="Known: demo"):
        mappings.mapper("other", "plain")
    with pytest.raises(NotFound, match="Known: plain"):
        mappings.mapper("demo", "other")


def test_yaml_scalars_keep_leading_zeros_and_digits(build):
    mapper = build(one("x: 1.50, y: 01, z: no, d: 2025-01-01, n: =note"))
    assert body(mapper, note="n") == {"x": Decimal("1.50"), "y": "01", "z": "no", "d": "2025-01-01", "n": "n"}
    assert list(mapper.form.fields["sure"].options) == ["01", "1"]


def test_findings_of_validation_lead_back_to_the_fields(build):
    mapper = build(one("v: {$quantity: weight}, value: [{a: =note}, {b: {$each: lines, do: {c: =.name}}}]"))
    made = Made("a", 0)
    assert places_of(mapper.plan, made, "Basic.value[1].b.c", resource={}) == ("lines.name",)
    assert places_of(mapper.plan, made, "Basic.value[0].a", resource={}) == ("note",)
    assert places_of(mapper.plan, made, "Basic.v.value", resource={}) == ("weight",)
    assert places_of(mapper.plan, made, "Basic.nothing", resource={}) == ("lines", "lines.name", "note", "weight")
    assert places_of(mapper.plan, made, "Basic", resource={}) == ("lines", "lines.name", "note", "weight")


def test_writing_a_dialect_gives_rows_that_are_read_back(build):
    values = {
        "no": "N1", "person": "P1", "day": "2025-06-01", "sex": "2", "tags": ["a", "b"], "weight": Decimal("65.5"), "note": "n",
        "lines": [{"name": "l"}, {"name": "m"}, {"name": "阿司匹林", "dose": 5}],
    }  # fmt: skip
    written = build(one("x: =note")).to_source(values)
    assert {k: v for k, v in written["main"][0].items() if v} == {
        "no": "N1", "人": "P1", "day": "2025-06-01", "sex": "F", "tags": "a,b", "体重(斤)": "131", "note": "n",
        "一": "l", "三": "阿司匹林 5",
    }  # fmt: skip
    assert [row["name"] for row in written["sub"]] == ["l", "m", "阿司匹林"]
    assert "secret" not in written["main"][0]


def test_a_resource_whose_key_has_an_empty_part_is_told_and_not_made(build):
    bodies = "when: day, body: {x: =note}}\n"
    maps = f"  - {{name: b, type: Basic, entity: e, key: [no], {bodies}  - {{name: a, type: Basic, entity: f, key: [no, house], {bodies}"
    mapper = build(resources(maps))
    record, _ = mapper.read({"no": "N1", "day": "2025-06-01", "note": "n"})
    result = mapper.map(record, now=NOW)
    assert [(i.key, i.path, i.params["column"]) for i in result.issues] == [
        ("mapping.resource-unkeyed", "house", "户号")
    ]
    assert [entry["resource"]["resourceType"] for entry in result.bundle["entry"]] == ["Basic", "Provenance"]


def test_a_record_of_which_nothing_has_a_key_is_rejected(build):
    mapper = build(resources("  - {name: a, type: Basic, entity: f, key: [no, house], when: day, body: {x: =note}}\n"))
    record, _ = mapper.read({"no": "N1", "day": "2025-06-01", "note": "n"})
    result = mapper.map(record, now=NOW)
    assert (result.bundle, [str(i.severity) for i in result.issues]) == (None, ["error"])


@pytest.mark.parametrize(
    ("condition", "born", "is_true"),
    [
        ("{age: born, at_least: 65}", "1960-07-01", True),
        ("{age: born, at_least: 65}", "1960-07-02", False),
        ("{age: born, at_most: 6}", "2018-07-02", True),
        ("{age: born, at_most: 6}", "2018", False),
        ("{not: {age: born, at_most: 6}}", None, True),
        ("{age: born, at_least: 65}", None, False),
    ],
)
def test_an_age_is_told_on_the_day_of_the_run(build, condition, born, is_true):
    mapper = build(one(f"y: =no, x: {{$when: {condition}, then: true}}"))
    assert body(mapper, **({"born": born} if born else {})) == {"y": "N1"} | ({"x": True} if is_true else {})


def test_an_age_is_of_a_date(build):
    with pytest.raises(BrokenMapping, match="note is no date"):
        build(one("y: =no, x: {$when: {age: note, at_least: 65}, then: true}"))


def test_words_are_read_beside_the_codes_of_the_form(build):
    columns = COLUMNS.replace("sex: {field: sex, codes: sex}", "sex: {field: sex, words: more}").replace(
        "  sex: {M", "  more: {先生: '1'}\n  unused: {M"
    )
    reader = next(
        c for c in build(one("x: =no"), columns=columns).dialect.tables[0].columns.values() if c.name == "sex"
    )
    codes = [reader.targets[0].codes.read(text) for text in ("先生", "女", "2", "1 男", "2、男", "M")]
    assert [c.code for c in codes] == ["1", "2", "2", "1", None, None]


def test_an_answer_that_stands_alone_and_one_of_several_fields_are_rules(build):
    form = (
        FORM
        + """
  - {key: alone, alone: {field: tags, is: [a]}, severity: warning, en: "alone", zh: 单选}
  - {key: either, requires: {field: price, then: [[note, house]]}, en: "either", zh: 二选一}
"""
    )
    mapper = build(one("x: =no"), form=form)
    for values, keys in (
        ({"tags": ["a", "b"]}, ["alone"]),
        ({"tags": ["a"]}, []),
        ({"price": Decimal(1)}, ["either"]),
        ({"price": Decimal(1), "house": "H"}, []),
    ):
        record, _ = mapper.read({"no": "N1", "day": "2025-06-01"} | values)
        assert [i.key for i in mapper.check(record, now=NOW)[1]] == keys
