"""YAML as the mapping files use it: YAML 1.2 scalars, exact decimals, no key twice. https://yaml.org/spec/1.2.2/#103-core-schema."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


class BrokenMapping(ValueError):
    """A mapping file that cannot be used: its name, the place inside it, and what is wrong there."""

    def __init__(self, file: str, place: str, problem: str) -> None:
        super().__init__(f"{file}: {place}: {problem}" if place else f"{file}: {problem}")
        self.file, self.place, self.problem = file, place, problem


def read_yaml(path: Path) -> Any:
    """Returns the content of a YAML file as dicts, lists, str, int, Decimal, bool and None; keys are always str.

    Raises:
        BrokenMapping: the file is missing, is not UTF-8 or not YAML, or a key stands twice.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise BrokenMapping(name, "", str(error)) from error
    return None if root is None else _value(root, name)


def _value(node: yaml.Node, file: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, file)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, file) for item in node.value]
    is_quoted = isinstance(node, yaml.ScalarNode) and bool(node.style)
    return node.value if is_quoted else _scalar(node.value)


def _mapping(node: yaml.MappingNode, file: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        if name == "<<":
            merged.update(_value(value, file))
        elif name in found:
            raise BrokenMapping(file, f"line {key.start_mark.line + 1}", f"the key {name!r} stands twice")
        else:
            found[name] = _value(value, file)
    return merged | found


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


def text_of(scalar: Any) -> str:
    """Returns a YAML scalar as the text that codes are compared by: `1` -> "1", `true` -> "true", None -> ""."""
    if scalar is None:
        return ""
    return str(scalar).lower() if isinstance(scalar, bool) else str(scalar)


def only_keys(entry: Any, allowed: frozenset[str], *, file: str, place: str) -> dict[str, Any]:
    """Returns the entry when it is an object with no other keys than `allowed`.

    Raises:
        BrokenMapping: it is not, naming the first wrong key and the allowed ones.
    """
    if not isinstance(entry, dict):
        raise BrokenMapping(file, place, f"an object is expected, not {entry!r}")
    for key in entry:
        if key not in allowed:
            raise BrokenMapping(file, place, f"unknown key {key!r}; known: {', '.join(sorted(allowed))}")
    return entry
