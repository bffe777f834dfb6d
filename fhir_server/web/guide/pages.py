"""The API as HTML pages: one of all types, one of each type; without scripts, and without anything from elsewhere."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from fhir_server.errors import Language
from fhir_server.fhir.json_codec import encode
from fhir_server.web.guide.content import ORDERED, PREFIXES, Operation, Parameter, TypeContent
from fhir_server.web.guide.words import word

PATH = "/docs"
_STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;margin:0 auto;max-width:76rem;padding:1rem 2rem;color:#1c2733}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:2px solid #0b6e6e}
a{color:#0b6e6e}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #dde5ea}
th{font-weight:600;color:#51626f}code,pre{font:13px/1.45 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{background:#f3f7f8;padding:.7rem 1rem;overflow:auto;max-height:26rem;border-radius:4px;white-space:pre-wrap}
small{color:#51626f}nav{font-size:.9rem}td:first-child{white-space:nowrap}
"""
_INTERACTIONS = {
    "read": ("GET", "{type}/[id]"),
    "vread": ("GET", "{type}/[id]/_history/[version]"),
    "update": ("PUT", "{type}/[id]"),
    "patch": ("PATCH", "{type}/[id]"),
    "delete": ("DELETE", "{type}/[id]"),
    "history-instance": ("GET", "{type}/[id]/_history"),
    "history-type": ("GET", "{type}/_history"),
    "create": ("POST", "{type}"),
    "search-type": ("GET", "{type}?..."),
}
_CONDITIONAL = ("update", "patch", "delete")
_SHOWN = 6
"""Search parameters in the example requests."""


def index_page(base: str, types: Iterable[TypeContent], operations: Sequence[Operation], language: Language) -> str:
    """Returns the page of all types."""
    rows = [
        (f'<a href="{PATH}/{one.name}">{one.name}</a>', escape(one.meaning), f"{len(one.parameters)}") for one in types
    ]
    intro = word("intro", language)
    body = [
        f"<h1>{word('title', language)}</h1>",
        f'<p>{intro} <a href="/openapi.json">OpenAPI</a>, <a href="{escape(base)}/metadata">CapabilityStatement</a>.</p>',
        f"<p>{_code(base)}</p>",
        f"<h2>{word('system', language)}</h2>",
        _table(_system_rows(base), (word("interaction", language), word("request", language))),
        f"<h2>{word('operations', language)}</h2>",
        _operations(operations, "", language),
        f"<h2>{word('types', language)}</h2>",
        _table(rows, (word("type", language), word("meaning", language), word("parameters", language))),
    ]
    return _page(word("title", language), body, language)


def type_page(base: str, content: TypeContent, language: Language) -> str:
    """Returns the page of one type."""
    name = content.name
    body = [
        f'<nav><a href="{PATH}">{word("all", language)}</a></nav>',
        f"<h1>{name}</h1>",
        f'<p>{escape(content.meaning)}. <a href="https://hl7.org/fhir/R4/{name.lower()}.html">R4</a></p>',
        f"<h2>{word('interactions', language)}</h2>",
        _table(_interaction_rows(content), (word("interaction", language), word("request", language))),
        *_profiles(content, language),
        f"<h2>{word('parameters', language)}</h2>",
        f"<p><small>{word('result', language)}</small></p>",
        _table(
            [_parameter_row(name, p, language) for p in content.parameters],
            tuple(word(w, language) for w in ("parameter", "form", "meaning", "example")),
        ),
        f"<h2>{word('operations', language)}</h2>",
        _operations(content.operations, name, language),
        f"<h2>{word('examples', language)}</h2>",
        f"<pre>{escape(chr(10).join(_commands(base, content)))}</pre>",
    ]
    if content.example is not None:
        pretty = json.dumps(json.loads(encode(content.example)), ensure_ascii=False, indent=2)
        body += [f"<h2>{word('resource', language)}</h2>", f"<pre>{escape(pretty)}</pre>"]
    return _page(name, body, language)


def _page(title: str, body: Iterable[str], language: Language) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    lang = "zh-CN" if language == "zh" else "en"
    text = "\n".join(body)
    return f'<!doctype html>\n<html lang="{lang}"><head>{head}<style>{_STYLE}</style></head>\n<body>\n{text}\n</body></html>\n'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _table(rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    titles = "".join(f"<th>{one}</th>" for one in head)
    lines = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>\n{lines}</table>"


def _system_rows(base: str) -> list[tuple[str, str]]:
    listed = (
        ("capabilities", "GET [base]/metadata"),
        ("transaction, batch", "POST [base]"),
        ("search-system", "GET [base]?_type=Patient,Task&..."),
        ("history-system", "GET [base]/_history"),
    )
    return [(name, _code(text.replace("[base]", base))) for name, text in listed]


def _interaction_rows(content: TypeContent) -> list[tuple[str, str]]:
    rows = []
    for code, (verb, path) in _INTERACTIONS.items():
        if code in content.interactions:
            text = f"{verb} {path.format(type=content.name)}"
            more = f", {_code(f'{verb} {content.name}?...')}" if code in _CONDITIONAL else ""
            rows.append((code, _code(text) + more))
    return rows


def _profiles(content: TypeContent, language: Language) -> list[str]:
    listed = "".join(f"<li>{_code(url)}</li>" for url in content.profiles)
    return [f"<h2>{word('profiles', language)}</h2>", f"<ul>{listed}</ul>"] if listed else []


def _parameter_row(type_: str, one: Parameter, language: Language) -> tuple[str, str, str, str]:
    form = [one.kind]
    if one.modifiers:
        form.append(f"<small>{word('modifiers', language)} {' '.join(f':{escape(m)}' for m in one.modifiers)}</small>")
    if one.kind in ORDERED:
        form.append(f"<small>{word('prefixes', language)} {' '.join(PREFIXES)}</small>")
    meaning = [escape(one.meaning)] if one.meaning else []
    if one.targets:
        meaning.append(f"<small>{word('targets', language)} {escape(', '.join(one.targets))}</small>")
    meaning.append(f"<small>{_code(one.expression)}</small>")
    return _code(one.code), "<br>".join(form), "<br>".join(meaning), _code(f"{type_}?{one.code}={one.sample}")


def _operations(operations: Iterable[Operation], type_: str, language: Language) -> str:
    rows = [(_code(f"${one.name}"), _operation(one, type_, language), _definition(one)) for one in operations]
    return _table(rows, (word("operation", language), word("request", language), word("meaning", language)))


def _operation(one: Operation, type_: str, language: Language) -> str:
    verbs = " | ".join(one.place.verbs)
    places = [f"{type_}/${one.name}"] if type_ and one.place.on_type else []
    places += [f"{type_}/[id]/${one.name}"] if type_ and one.place.on_instance else []
    lines = [_code(f"{verbs} {place}") for place in places or [f"${one.name}"]]
    if one.inputs:
        listed = ", ".join(f"{i.name} ({f'{i.type} {i.cardinality}'.strip()})" for i in one.inputs)
        lines.append(f"<small>{word('inputs', language)} {escape(listed)}</small>")
    return "<br>".join(lines)


def _definition(one: Operation) -> str:
    return f"{escape(one.title)}<br><small>{_code(one.definition)}</small>"


def _commands(base: str, content: TypeContent) -> list[str]:
    """Returns requests as curl sends them, each of an interaction that the type offers."""
    name, shown = content.name, content.parameters[:_SHOWN]
    lines = [f"curl '{base}/{name}?{one.code}={quote(one.sample, safe='/:$|')}'" for one in shown]
    if "search-type" in content.interactions:
        lines.append(f"curl '{base}/{name}?_sort=-_lastUpdated&_count=5&_summary=true'")
    if "read" in content.interactions:
        lines.append(f"curl -H 'Accept: application/fhir+xml' '{base}/{name}/123'")
    if "create" in content.interactions:
        lines.append(f"curl -H 'Content-Type: application/fhir+json' --data-binary @one.json '{base}/{name}'")
    if "patch" in content.interactions:
        lines.append(
            f"curl -X PATCH -H 'Content-Type: application/json-patch+json' "
            f"""-d '[{{"op": "remove", "path": "/text"}}]' '{base}/{name}/123'"""
        )
    return lines
