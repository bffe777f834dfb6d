"""The alternatives of a search expression (`a | b`), so that those which parameters share are evaluated once.

http://hl7.org/fhirpath/N1/#union-collections
"""

from collections.abc import Iterator


def union_branches(expression: str) -> tuple[str, ...]:
    """Returns the operands of the unions at the top of a FHIRPath expression, or the expression as its only one.

    An operand with a blank outside brackets might belong to an operator that binds looser than `|`; then nothing is
    split.
    """
    branches = tuple(part.strip() for part in _parts(expression))
    if any(_has_open_blank(branch) for branch in branches):
        return (expression,)
    return branches


def _parts(expression: str) -> Iterator[str]:
    start = 0
    for at, character in _outside(expression):
        if character == "|":
            yield expression[start:at]
            start = at + 1
    yield expression[start:]


def _has_open_blank(branch: str) -> bool:
    return any(character.isspace() for _, character in _outside(branch))


def _outside(expression: str) -> Iterator[tuple[int, str]]:
    """Yields the characters that stand outside brackets and quotes, with their places."""
    depth, quote, escaped = 0, "", False
    for at, character in enumerate(expression):
        if quote:
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and not escaped
        elif character in "'`\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0:
            yield at, character
