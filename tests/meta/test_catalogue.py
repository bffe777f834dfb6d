"""The catalogue of issue keys: both languages, the same blanks, R4 codes, and nothing used that is not in it."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from fhir_server.errors import catalogue

PACKAGE = Path(__file__).parents[2] / "fhir_server"
ISSUE_CODES = {
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden",
    "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long",
    "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
    "exception", "timeout", "incomplete", "throttled", "informational",
}  # fmt: skip
KEYS = sorted(catalogue())
_KEY = re.compile(r"[a-z]+(\.[a-z0-9-]+)+")


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_the_catalogue_is_there():
    assert "rest.not-found" in KEYS


@pytest.mark.parametrize("key", KEYS)
def test_both_languages_have_the_same_blanks_and_a_known_code(key):
    message = catalogue()[key]
    assert message.code in ISSUE_CODES
    assert blanks(message.en) == blanks(message.zh)


@pytest.mark.parametrize("key", KEYS)
def test_the_chinese_sentence_is_chinese(key):
    assert re.search(r"[一-鿿]", catalogue()[key].zh)


def test_every_key_in_the_code_is_in_the_catalogue():
    used = {
        node.args[0].value
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and _is_issue_call(node)
    }
    assert len(used) > 40
    assert used - set(KEYS) == set()


def _is_issue_call(node: ast.Call) -> bool:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    first = node.args[0] if node.args else None
    return name in ("issue", "of") and isinstance(first, ast.Constant) and bool(_KEY.fullmatch(str(first.value)))


def test_every_key_of_the_catalogue_is_used_somewhere():
    text = "\n".join(f.read_text("utf-8") for f in PACKAGE.rglob("*.py"))
    assert [k for k in KEYS if f'"{k}"' not in text and f'"{k.rpartition(".")[2]}"' not in text] == []
