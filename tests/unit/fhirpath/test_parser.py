"""fhirpath.parser and fhirpath.lexer."""

from decimal import Decimal

import pytest

from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.parser import MAX_DEPTH, MAX_LENGTH, parse
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.syntax import Binary, Call, Empty, Item, Literal, Member, Special, TypeTest, Unary, Variable
from fhir_server.fhirpath.temporal import Temporal


def shape(node):  # noqa: PLR0911 - one case a kind of node
    """The tree as nested operators, without offsets."""
    match node:
        case Binary():
            return f"({shape(node.left)} {node.operator} {shape(node.right)})"
        case TypeTest():
            return f"({shape(node.operand)} {node.operator} {node.type})"
        case Unary():
            return f"({node.operator}{shape(node.operand)})"
        case Member():
            return node.name if node.source is None else f"{shape(node.source)}.{node.name}"
        case Call():
            inside = f"{node.name}({', '.join(map(shape, node.arguments))})"
            return inside if node.source is None else f"{shape(node.source)}.{inside}"
        case Item():
            return f"{shape(node.source)}[{shape(node.index)}]"
        case Literal():
            return str(node.value)
        case Variable():
            return f"%{node.name}"
        case Special():
            return f"${node.name}"
    return "{}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a implies b or c", "(a implies (b or c))"),
        ("a or b and c", "(a or (b and c))"),
        ("a and b in c", "(a and (b in c))"),
        ("a in b = c", "(a in (b = c))"),
        ("a = b < c", "(a = (b < c))"),
        ("a < b | c", "(a < (b | c))"),
        ("a as X | b as Y", "((a as X) | (b as Y))"),
        ("a is X + b", "((a is X) + b)"),
        ("a + b * c", "(a + (b * c))"),
        ("-a.b", "(-a.b)"),
        ("-a * b", "((-a) * b)"),
        ("a - b - c", "((a - b) - c)"),
        ("a xor b or c", "((a xor b) or c)"),
        ("a is FHIR.Patient = b", "((a is FHIR.Patient) = b)"),
    ],
)
def test_operators_bind_in_the_order_of_the_specification(text, wanted):
    assert shape(parse(text)) == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("12", 12),
        ("1.00", Decimal("1.00")),
        (r"'a\'b\n\u4e2d'", "a'b\n中"),
        ("@2024-05", Temporal("Date", (2024, 5))),
        ("@2024T", Temporal("DateTime", (2024,))),
        ("@2024-05-06T07:08:09.10+08:00", Temporal("DateTime", (2024, 5, 6, 7, 8, 9), "10", "+08:00")),
        ("@T07:08", Temporal("Time", (7, 8))),
        ("4 days", Quantity(Decimal(4), "day")),
        ("1.5 'mg/dL'", Quantity(Decimal("1.5"), "mg/dL")),
    ],
)
def test_literal_stands_for_its_value(text, value):
    found = parse(text)
    assert isinstance(found, Literal)
    assert (found.value, type(found.value)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.`b c`.`div`", "a.b c.div"),
        ("a.where($this = %`vs-x`)[0]", "a.where(($this = %vs-x))[0]"),
        ("contains.as", "contains.as"),
        ("a.is(System.String)", "(a is System.String)"),
        ("is(Patient)", "({} is Patient)"),
        ("a // to the end\n + /* inside */ b", "(a + b)"),
    ],
)
def test_names_calls_and_comments_are_read(text, wanted):
    assert shape(parse(text)) == wanted


def test_empty_braces_are_the_empty_collection():
    assert parse(" {} ") == Empty(1)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a +", 3),
        ("a b", 2),
        ("(a", 2),
        ("a..b", 2),
        ("a[1", 3),
        ("where(a,)", 8),
        ("#", 0),
        ("'open", 0),
        ("a is 1", 5),
        ("@2024-13-01", 0),
        (r"'\q'", 1),
    ],
)
def test_syntax_error_tells_where(text, position):
    with pytest.raises(FhirPathError) as error:
        parse(text)
    assert error.value.position == position


def test_error_speaks_both_languages():
    with pytest.raises(FhirPathError) as error:
        parse("a b")
    assert str(error.value) == "FHIRPath: expected the end but found b at character 3."
    assert error.value.text("zh") == "FHIRPath 语法错误：第 3 个字符处应为表达式结尾，实际为 b。"
    assert error.value.issue("Patient.name").path == "Patient.name"


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "-" * 5000 + "1", "a.where(" * 2000, "1" + "+1" * 1000, "a" + ".b" * 1000, "a" * (MAX_LENGTH + 1)],
)
def test_expression_beyond_the_limits_is_refused(text):
    with pytest.raises(FhirPathError, match="exceeds the limit"):
        parse(text)


def test_expression_just_below_the_limit_of_depth_is_taken():
    assert shape(parse("1" + "+1" * (MAX_DEPTH - 1))).count("+") == MAX_DEPTH - 1
