"""The directives of texts with blanks. See docs/decisions/0002-mapping-language.md."""

import base64
import re
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.nodes import Node
from fhir_server.mapping.record import Unverified, plain
from fhir_server.mapping.script import Script
from fhir_server.mapping.tables import display_of
from fhir_server.mapping.template import Context, FieldAccess, check_options, compile_template, fields_of

_BLANK = re.compile(r"\{(\.?[A-Za-z]\w*|\.)\}")


def text_directive(entry: JsonObject, context: Context) -> Node:
    """Returns `$text`: sentences with fields in their blanks.

    Raises:
        BrokenMapping: an unknown option, field or table.
    """
    check_options(entry, context)
    return _sentences(entry["$text"], context)


def base64_directive(entry: JsonObject, context: Context) -> Node:
    """Returns `$base64`: the same as base64 of UTF-8.

    Raises:
        BrokenMapping: an unknown option, field or table.
    """
    check_options(entry, context)
    text = _sentences(entry["$base64"], context)

    def encoded(made: str) -> str:
        return base64.b64encode(made.encode()).decode()

    def write(script: Script) -> str:
        made = text.atom(script)
        return script.set(f"None if {made} is None else {script.constant(encoded)}({made})")

    return Node(write, text.fields, is_sure=text.is_sure, is_of_line=text.is_of_line)


def _sentences(raw: Any, context: Context) -> Node:
    given = raw if isinstance(raw, list) else [raw]
    nodes = [_sentence(s, context) if isinstance(s, str) else compile_template(s, context) for s in given]
    if len(nodes) == 1:
        return nodes[0]

    def write(script: Script) -> str:
        atoms = [node.atom(script) for node in nodes]
        return script.set(f"'\\n'.join([x for x in ({''.join(f'{a}, ' for a in atoms)}) if x is not None]) or None")

    return Node(write, fields_of(nodes), is_of_line=any(node.is_of_line for node in nodes))


def _sentence(raw: str, context: Context) -> Node:
    pieces = _BLANK.split(raw.replace("{B}", context.base).replace("{S}", context.source_base))
    texts, accesses = pieces[::2], [context.field(name) for name in pieces[1::2]]

    def write(script: Script) -> str:
        words = [_word(script, access) for access in accesses]
        sentence = " + ".join(repr(t) if n % 2 == 0 else t for n, t in enumerate(_between(texts, words)) if t)
        return script.set(f"{sentence} if {' and '.join(words)} else None" if words else sentence)

    is_of_line = any(access.is_of_line for access in accesses)
    return Node(write, frozenset(a.path for a in accesses), is_sure=not accesses, is_of_line=is_of_line)


def _between(texts: list[str], words: list[str]) -> list[str]:
    """Texts and what fills their blanks in turn, texts first and last."""
    return [t for pair in zip(texts, [*words, ""], strict=True) for t in pair][:-1]


def _word(script: Script, access: FieldAccess) -> str:
    value = access.atom(script)
    expression = f"{value} if type({value}) is str else {script.constant(_words)}({value})"
    return script.set(expression) if access.is_of_line else script.early(expression)


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "、".join(display_of(v) for v in value)
    return "" if value is None else display_of(plain(value) if isinstance(value, Unverified) else value)
