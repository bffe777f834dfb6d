"""Function calls, http://hl7.org/fhirpath/N1/#functions: those that invariants and search expressions use."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import syntax
from fhir_server.fhirpath.functions import conversion, regular, strings
from fhir_server.fhirpath.transpiler import compare
from fhir_server.fhirpath.transpiler.code import (
    MOMENT,
    NOTHING,
    NUMBER,
    OBJECT,
    QUANTITY,
    TEXT,
    TODAY,
    UNKNOWN,
    Code,
    Day,
    Unsupported,
    boolean,
    family_of,
    is_primitive,
    three_valued,
)  # fmt: skip
from fhir_server.fhirpath.transpiler.logic import negated, truth
from fhir_server.fhirpath.transpiler.navigate import Constants, as_list, exists, single, sure
from fhir_server.fhirpath.transpiler.whole_numbers import digit_of


class Context(Protocol):
    """What a function needs of the transpiler."""

    model: TypeModel
    constants: Constants

    def code(self, node: syntax.Node) -> Code:
        """Returns the code of a sub-expression where the function was called."""

    def inside(self, node: syntax.Node, this: Code, total: Code | None = None) -> Code:
        """Returns the code of a sub-expression with another `$this` and `$total`."""


Arguments = tuple[syntax.Node, ...]
Build = Callable[[Context, Code, Arguments], Code]


def call(context: Context, node: syntax.Call, focus: Code) -> Code:
    """Returns the code of a function call on an input.

    Raises:
        Unsupported: a function or input for the evaluator.
    """
    build = _FUNCTIONS.get(node.name)
    if build is None:
        raise Unsupported(f"{node.name}()")
    return build(context, focus, node.arguments)


def _loop(context: Context, focus: Code, body: syntax.Node) -> tuple[str, Code]:
    """Returns a loop variable over the items, and the body with `$this` as that variable."""
    x = context.constants.variable()
    this = Code(x, focus.types, sure=not is_primitive(focus))
    return x, context.inside(body, this)


def _where(context: Context, focus: Code, arguments: Arguments) -> Code:
    if not focus.types:
        return NOTHING
    x, body = _loop(context, focus, arguments[0])
    return Code(f"[{x} for {x} in {as_list(focus)} if {truth(body)[0]}]", focus.types, many=True)


def _select(context: Context, focus: Code, arguments: Arguments) -> Code:
    if not focus.types:
        return NOTHING
    x, body = _loop(context, focus, arguments[0])
    y = context.constants.variable()
    return (
        Code(f"[{y} for {x} in {as_list(focus)} for {y} in {as_list(body)}]", body.types, many=True)
        if body.types
        else NOTHING
    )


def _all(context: Context, focus: Code, arguments: Arguments) -> Code:
    if not focus.types:
        return boolean("True")
    x, body = _loop(context, focus, arguments[0])
    return boolean(f"all([{truth(body)[0]} for {x} in {as_list(focus)}])")


def _exists(context: Context, focus: Code, arguments: Arguments) -> Code:
    if not arguments:
        return exists(focus, context.constants)
    if not focus.types:
        return boolean("False")
    x, body = _loop(context, focus, arguments[0])
    return boolean(f"any([{truth(body)[0]} for {x} in {as_list(focus)}])")


def _empty(context: Context, focus: Code, arguments: Arguments) -> Code:
    return negated(exists(focus, context.constants))


def _not(context: Context, focus: Code, arguments: Arguments) -> Code:
    return negated(focus)


def _count(context: Context, focus: Code, arguments: Arguments) -> Code:
    return Code(f"len({as_list(focus)})" if focus.types else "0", ("System.Integer",), sure=True)


def _has_value(context: Context, focus: Code, arguments: Arguments) -> Code:
    if not focus.types or family_of(focus.types) in (OBJECT, QUANTITY):
        return boolean("False")
    if family_of(focus.types) is None or focus.many:
        raise Unsupported("hasValue() of several values")
    return boolean("True" if focus.sure else f"({focus.text} is not None)")


def _first(context: Context, focus: Code, arguments: Arguments) -> Code:
    return replace(focus, text=f"at({focus.text}, 0)", many=False, origin=None, constants=None) if focus.many else focus


def _last(context: Context, focus: Code, arguments: Arguments) -> Code:
    return replace(focus, text=f"last({focus.text})", many=False, origin=None, constants=None) if focus.many else focus


def _tail(context: Context, focus: Code, arguments: Arguments) -> Code:
    return replace(focus, text=f"{focus.text}[1:]", origin=None, constants=None) if focus.many else NOTHING


def _single(context: Context, focus: Code, arguments: Arguments) -> Code:
    return single(focus)


def _distinct(context: Context, focus: Code, arguments: Arguments) -> Code:
    return compare.distinct(focus, context.constants)


def _is_distinct(context: Context, focus: Code, arguments: Arguments) -> Code:
    compare.check_identity(focus)
    return boolean(f"is_distinct({as_list(focus)})" if focus.types else "True")


def _intersect(context: Context, focus: Code, arguments: Arguments) -> Code:
    other = context.code(arguments[0])
    if not focus.types or not other.types:
        return NOTHING
    compare.check_identity(focus, other)
    return Code(f"intersection({as_list(focus)}, {as_list(other)})", focus.types, many=True)


def _combine(context: Context, focus: Code, arguments: Arguments) -> Code:
    other = context.code(arguments[0])
    if not focus.types or not other.types:
        return focus if focus.types else other
    types = (
        ("",)
        if UNKNOWN in (family_of(focus.types), family_of(other.types))
        else tuple(dict.fromkeys((*focus.types, *other.types)))
    )
    return Code(f"(*{as_list(focus)}, *{as_list(other)})", types, many=True)


def _trace(context: Context, focus: Code, arguments: Arguments) -> Code:
    return focus


def _iif(context: Context, focus: Code, arguments: Arguments) -> Code:
    if focus.many:
        raise Unsupported("iif() on several items")
    test, then = (context.inside(a, focus) for a in arguments[:2])
    otherwise = context.inside(arguments[2], focus) if len(arguments) > 2 else NOTHING
    types = tuple(dict.fromkeys((*then.types, *otherwise.types)))
    if not types or family_of(types) is None:
        raise Unsupported("iif() with values of several types")
    yes = truth(test)[0]
    if then.many or otherwise.many:
        return Code(f"({_or_none(then)} if {yes} else {_or_none(otherwise)})", types, many=True)
    return Code(f"({then.text} if {yes} else {otherwise.text})", types)


def _or_none(code: Code) -> str:
    return as_list(code) if code.types else "()"


def _aggregate(context: Context, focus: Code, arguments: Arguments) -> Code:
    if len(arguments) < 2 or not focus.types:
        raise Unsupported("aggregate() without a start")
    start = single(context.code(arguments[1]))
    x, total = context.constants.variable(), context.constants.variable()
    this = Code(x, focus.types, sure=not is_primitive(focus))
    body = single(context.inside(arguments[0], this, Code(total, start.types)))
    if family_of((*start.types, *body.types)) not in (NUMBER, TEXT):
        raise Unsupported("aggregate() of other than numbers or texts")
    return Code(f"folded({as_list(focus)}, {start.text}, lambda {x}, {total}: {body.text})", body.types)


def _extension(context: Context, focus: Code, arguments: Arguments) -> Code:
    url = context.code(arguments[0])
    if url.constants is None:
        raise Unsupported("extension() with a computed URL")
    if not focus.types:
        return NOTHING
    if family_of(focus.types) in (OBJECT, QUANTITY):
        return Code(f"extensions({as_list(focus)}, {url.text})", ("Extension",), many=True)
    if focus.origin is None or focus.origin.parent.many or len(focus.origin.keys) > 1:
        raise Unsupported("extensions of primitives without their siblings")
    key = "_" + focus.origin.keys[0][0]
    return Code(f"own_extensions({sure(focus.origin.parent)}, {key!r}, {url.text})", ("Extension",), many=True)


def _has_extension(context: Context, focus: Code, arguments: Arguments) -> Code:
    return exists(_extension(context, focus, arguments), context.constants)


def _resolve(context: Context, focus: Code, arguments: Arguments) -> Code:
    if not focus.types:
        return NOTHING
    if not focus.many and is_primitive(focus):
        focus = replace(focus, origin=None)
    types = context.constants.name(context.model.resources)
    text = f"resolved({as_list(focus)}, root, resolve, {types})"
    return Code(text, ("Resource",), many=True) if focus.many else Code(f"one({text})", ("Resource",))


def _children(context: Context, focus: Code, arguments: Arguments) -> Code:
    return _below("children", focus)


def _descendants(context: Context, focus: Code, arguments: Arguments) -> Code:
    return _below("descendants", focus)


def _below(function: str, focus: Code) -> Code:
    if focus.many or family_of(focus.types) not in (OBJECT, QUANTITY):
        raise Unsupported(f"{function}() of anything but one object")
    return Code(f"{function}({sure(focus)})", ("",), many=True)


def _html_checks(context: Context, focus: Code, arguments: Arguments) -> Code:
    return three_valued(f"narrative({_text(focus).text})")


def _today(context: Context, focus: Code, arguments: Arguments) -> Code:
    return Code("today(now)", ("System.Date",), sure=True, day=Day(TODAY, "date"))


def _now(context: Context, focus: Code, arguments: Arguments) -> Code:
    return Code("now_moment(now)", ("System.DateTime",), sure=True)


def _text(code: Code) -> Code:
    """Checks that a code is one text, or untyped, which the run-time checks."""
    if not code.types:
        return NOTHING
    if family_of(code.types) not in (TEXT, UNKNOWN):
        raise Unsupported("a string function on other values")
    return single(code)


def _on_text(function: Callable[..., object], type_: str) -> Build:
    def build(context: Context, focus: Code, arguments: Arguments) -> Code:
        texts = [_text(focus), *(_text(context.code(a)) for a in arguments)]
        text = f"on_text({context.constants.name(function)}, {', '.join(t.text for t in texts)})"
        return three_valued(text) if type_ == "System.Boolean" else Code(text, (type_,))

    return build


def _matches(context: Context, focus: Code, arguments: Arguments) -> Code:
    pattern = context.code(arguments[0])
    if family_of(focus.types) == UNKNOWN or pattern.constants is None or family_of(pattern.types) != TEXT:
        raise Unsupported("matches() with a computed pattern")
    compiled, text = regular.pattern(pattern.constants[0]), _text(focus).text
    if not text.isidentifier():
        return three_valued(f"matches({text}, {context.constants.name(compiled)})")
    found = f"{context.constants.name(compiled.search)}({text})"
    return boolean(*(f"({text} is not None and {found} is {no}None)" for no in ("not ", "")))


def _substring(context: Context, focus: Code, arguments: Arguments) -> Code:
    numbers = [single(context.code(a)) for a in arguments]
    if family_of(focus.types) != TEXT or any(family_of(n.types) != NUMBER for n in numbers):
        raise Unsupported("substring() of other values")
    starts = numbers[0].constants
    if len(numbers) == 2 and starts and starts[0] >= 0 and numbers[1].constants:
        end = starts[0] + max(numbers[1].constants[0], 0)
        text, start = _text(focus).text, starts[0]
        digit = digit_of(text, start) if end == start + 1 and text.isidentifier() else None
        part = f"(None if {text} is None else {text}[{start}:{end}] or None)"
        is_plain = text.isidentifier() and end > start
        return Code(part if is_plain else f"cut({text}, {start}, {end})", ("System.String",), whole=digit)
    if len(numbers) == 2 and numbers[1].constants and numbers[1].constants[0] > 0:
        return Code(f"cut_at({_text(focus).text}, {numbers[0].text}, {numbers[1].text})", ("System.String",))
    function = context.constants.name(strings.substring)
    return Code(f"part({function}, {_text(focus).text}, {', '.join(n.text for n in numbers)})", ("System.String",))


def value(code: Code) -> str:
    """Returns Python for the System value of a single item: dates parsed, quantities unpacked.

    Raises:
        Unsupported: objects, and values of several types.
    """
    code = single(code)
    match family_of(code.types):
        case "moment":
            return code.text if code.types[0].startswith("System.") else f"dated({code.text}, {code.types[0]!r})"
        case "quantity":
            return f"quantity_value({code.text})"
        case "number" if "decimal" in code.types:
            return _decimal(code)
        case "text" | "number" | "truth":
            return code.text
    raise Unsupported("the value of an object")


def _decimal(code: Code) -> str:
    if code.types != ("decimal",):
        raise Unsupported("a number that may be a decimal or an integer")
    return f"decimal({code.text})"


def _converted(function: Callable[..., object], type_: str) -> Build:
    def build(context: Context, focus: Code, arguments: Arguments) -> Code:
        return (
            Code(f"converted({context.constants.name(function)}, {value(focus)})", (type_,)) if focus.types else NOTHING
        )

    return build


def _to_string(context: Context, focus: Code, arguments: Arguments) -> Code:
    if family_of(focus.types) == MOMENT and len(focus.types) == 1 and not focus.types[0].startswith("System."):
        return Code(f"dated_text({single(focus).text}, {focus.types[0]!r})", ("System.String",))
    return _converted(conversion.to_text, "System.String")(context, focus, arguments)


def _to_integer(context: Context, focus: Code, arguments: Arguments) -> Code:
    if family_of(focus.types) == TEXT:
        return Code(f"whole({single(focus).text})", ("System.Integer",), whole=focus.whole)
    return _converted(conversion.to_integer, "System.Integer")(context, focus, arguments)


def _all_are(*, truth_value: bool) -> Build:
    def build(context: Context, focus: Code, arguments: Arguments) -> Code:
        if focus.types != ("System.Boolean",):
            raise Unsupported("allTrue() or allFalse() of other than computed truths")
        return boolean(f"all([v is {truth_value} for v in {as_list(focus)}])")

    return build


def _abs(context: Context, focus: Code, arguments: Arguments) -> Code:
    if family_of(focus.types) != NUMBER:
        raise Unsupported("abs() of other than numbers")
    types = ("System.Decimal",) if "decimal" in focus.types else focus.types
    return Code(f"converted(abs, {value(focus)})", types)


_FUNCTIONS: dict[str, Build] = {
    "where": _where, "select": _select, "all": _all, "exists": _exists, "empty": _empty, "not": _not, "count": _count,
    "hasValue": _has_value, "first": _first, "last": _last, "tail": _tail, "single": _single, "distinct": _distinct,
    "isDistinct": _is_distinct, "intersect": _intersect, "combine": _combine, "trace": _trace, "iif": _iif, "aggregate": _aggregate,
    "extension": _extension, "hasExtension": _has_extension, "resolve": _resolve, "children": _children, "descendants": _descendants,
    "htmlChecks": _html_checks, "htmlChecks2": _html_checks, "today": _today, "now": _now, "matches": _matches, "substring": _substring,
    "abs": _abs,
    "startsWith": _on_text(str.startswith, "System.Boolean"), "endsWith": _on_text(str.endswith, "System.Boolean"),
    "contains": _on_text(str.__contains__, "System.Boolean"), "length": _on_text(len, "System.Integer"),
    "upper": _on_text(str.upper, "System.String"), "lower": _on_text(str.lower, "System.String"),
    "trim": _on_text(str.strip, "System.String"), "indexOf": _on_text(str.find, "System.Integer"),
    "replace": _on_text(strings.replaced, "System.String"), "replaceMatches": _on_text(regular.replace_matches, "System.String"),
    "allTrue": _all_are(truth_value=True), "allFalse": _all_are(truth_value=False), "toInteger": _to_integer, "toString": _to_string,
    "toDecimal": _converted(conversion.to_decimal, "System.Decimal"),
}  # fmt: skip
