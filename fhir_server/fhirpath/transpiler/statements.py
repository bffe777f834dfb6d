"""Writes a generated expression as statements: loops that end early, and nothing computed twice.

The builders of this package make one Python expression, in which each collection is a function call or a comprehension,
which is a function call of its own in Python 3.11. Here they become plain loops, one within the other.
See https://docs.python.org/3/library/ast.html.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from fhir_server.fhirpath.transpiler.comparisons import plain_comparison
from fhir_server.fhirpath.transpiler.forms import Forms
from fhir_server.fhirpath.transpiler.merging import merged, parsed
from fhir_server.fhirpath.transpiler.searches import WRITTEN, Search, is_simple, is_total, kind_of, search_of, target_of
from fhir_server.fhirpath.transpiler.source import Lines


class Writer:
    """One expression and what has been written of it."""

    def __init__(self, source: str) -> None:
        source = merged(source)
        self.tree = parsed(source)
        self.forms = Forms(source, self.tree)
        self.out = Lines()
        self._split: dict[int, tuple[ast.AST, bool]] = {}

    def is_split(self, node: ast.AST) -> bool:
        """Tells whether a part is to be written as statements, or holds such a part that is always computed."""
        found = self._split.get(id(node))
        if found is None:
            found = self._split[id(node)] = node, self._is_split(node)
        return found[1]

    def _is_split(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Lambda):
            return False
        if isinstance(node, ast.expr) and (kind_of(node) in WRITTEN or self.forms.shared(node)):
            return True
        return any(self.is_split(child) for child in ast.iter_child_nodes(node))


@lru_cache(128)
def body_of(source: str) -> str:
    """Returns the body of a function that tells whether an expression is true: lines that are indented by one space.

    The same rule of another type is often the same source.
    """
    if is_simple(source):
        return f" return True if {source} else False\n"
    writer = Writer(source)
    _tail(writer, writer.tree)
    return writer.out.text


# tests


@dataclass(frozen=True, slots=True)
class _Then:
    """What to write where a test holds; an exit leaves the function and may be written several times."""

    write: Callable[[], None]
    is_exit: bool = False


def _exit(w: Writer, *, result: bool) -> _Then:
    return _Then(lambda: w.out.line(f"return {result}"), is_exit=True)


def _tail(w: Writer, test: ast.expr, *, wanted: bool = True) -> None:
    """Writes that the function returns whether the test comes out as wanted."""
    if isinstance(test, ast.UnaryOp):
        _tail(w, test.operand, wanted=not wanted)
    elif isinstance(test, ast.BoolOp) and w.is_split(test):
        is_or = isinstance(test.op, ast.Or)
        for operand in test.values[:-1]:
            _when(w, operand, _exit(w, result=is_or is wanted), wanted=is_or)
        _tail(w, test.values[-1], wanted=wanted)
    else:
        search = search_of(test)
        result = search is None or search.is_hit is wanted
        _when(w, test, _exit(w, result=result), wanted=wanted is result)
        w.out.line(f"return {not result}")


def _when(w: Writer, test: ast.expr, then: _Then, *, wanted: bool = True) -> None:
    """Writes what is to be done where the test comes out as wanted."""
    search = None if not w.is_split(test) or w.forms.shared(test) else search_of(test)
    if search is not None:
        _when_found(w, search, then, wanted=wanted)
    elif isinstance(test, ast.UnaryOp):
        _when(w, test.operand, then, wanted=not wanted)
    elif isinstance(test, ast.BoolOp) and w.is_split(test):
        _when_combined(w, test, then, wanted=wanted)
    else:
        _if(w, truth(w, test), then, wanted=wanted)


def _if(w: Writer, test: ast.expr, then: _Then, *, wanted: bool) -> None:
    with w.out.block(f"if {ast.unparse(test if wanted else _not(test))}:"):
        then.write()


def _when_combined(w: Writer, test: ast.BoolOp, then: _Then, *, wanted: bool) -> None:
    if isinstance(test.op, ast.And) is wanted:
        _nested(w, test.values, then, wanted=wanted)
    elif then.is_exit:
        for operand in test.values:
            _when(w, operand, then, wanted=wanted)
    else:
        _if(w, truth(w, test), then, wanted=wanted)


def _nested(w: Writer, tests: list[ast.expr], then: _Then, *, wanted: bool) -> None:
    """Writes what is to be done where all tests come out as wanted."""
    first, *rest = tests
    _when(w, first, then if not rest else _Then(lambda: _nested(w, rest, then, wanted=wanted)), wanted=wanted)


def truth(w: Writer, test: ast.expr) -> ast.expr:
    """Writes what a test needs and returns an expression that is as true as the test."""
    if not w.is_split(test):
        return test
    if isinstance(test, ast.UnaryOp):
        return _not(truth(w, test.operand))
    if isinstance(test, ast.BoolOp):
        first, *rest = test.values
        return _flag(w, test) if any(map(w.is_split, rest)) else ast.BoolOp(test.op, [truth(w, first), *rest])
    return value(w, test) if w.forms.shared(test) or search_of(test) is None else _flag(w, test)


def _flag(w: Writer, test: ast.expr) -> ast.Name:
    """Writes a variable that tells whether a test holds."""
    name = w.out.fresh()
    w.out.line(f"{name} = False")
    _mark(w, test, name, wanted=True)
    return ast.Name(name)


def _mark(w: Writer, test: ast.expr, flag: str, *, wanted: bool) -> None:
    """Writes that a flag is set where a test comes out as wanted."""
    search = search_of(test)
    if isinstance(test, ast.UnaryOp):
        _mark(w, test.operand, flag, wanted=not wanted)
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) is wanted:
        _mark(w, test.values[0], flag, wanted=wanted)
        for operand in test.values[1:]:
            with w.out.block(f"if not {flag}:"):
                _mark(w, operand, flag, wanted=wanted)
    elif search is not None and search.is_hit is wanted and not w.forms.shared(test):
        _seek(w, search, flag)
    else:
        _when(w, test, _Then(lambda: w.out.line(f"{flag} = True")), wanted=wanted)


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


# searches: is there an item, of which something is true or is not?


def _when_found(w: Writer, search: Search, then: _Then, *, wanted: bool) -> None:
    if search.is_hit is wanted and then.is_exit and search.ends_early():
        _visit(w, search, then)
    else:
        _if(w, _found(w, search), then, wanted=search.is_hit is wanted)


def _found(w: Writer, search: Search) -> ast.Name:
    """Writes a variable that tells whether there is a hit."""
    flag = w.out.fresh()
    w.out.line(f"{flag} = False")
    _seek(w, search, flag)
    return ast.Name(flag)


def _seek(w: Writer, search: Search, flag: str) -> None:
    """Writes that a flag is set where there is a hit."""
    if not search.is_hit and not is_total(search.source):
        search = search._replace(source=value(w, search.source))
    is_early = search.ends_early()

    def hit() -> None:
        w.out.line(f"{flag} = True")
        if is_early:
            w.out.line("break")

    _visit(w, search, _Then(hit), flag if is_early else None)


def _visit(w: Writer, search: Search, then: _Then, flag: str | None = None) -> None:
    test = search.test

    def body(_: str) -> None:
        if test is None:
            then.write()
        else:
            _when(w, test, then, wanted=search.wanted)

    each(w, search.source, _Walk(body, search.variable, flag))


# loops


class _Walk(NamedTuple):
    """What to do with each item in the variable of that name; where the flag is set, all loops end."""

    body: Callable[[str], None]
    variable: str | None = None
    flag: str | None = None


def each(w: Writer, source: ast.expr, walk: _Walk) -> None:
    """Writes what is to be done with each item of a collection."""
    loop = None if w.forms.shared(source) else _LOOPS.get(kind_of(source))
    if loop is not None:
        loop(w, source, walk)
    else:
        _for(w, ast.unparse(value(w, source)), walk)


def _for(w: Writer, items: str, walk: _Walk) -> None:
    name = walk.variable or w.out.fresh()
    with w.out.block(f"for {name} in {items}:"):
        walk.body(name)


def _leave(w: Writer, walk: _Walk) -> None:
    if walk.flag is not None:
        w.out.line(f"if {walk.flag}: break")


def _comprehension(w: Writer, node: ast.expr, walk: _Walk) -> None:
    if isinstance(node, ast.ListComp):
        _generators(w, node.elt, node.generators, walk)


def _generators(w: Writer, item: ast.expr, generators: list[ast.comprehension], walk: _Walk) -> None:
    first, *rest = generators

    def inner() -> None:
        if rest:
            _generators(w, item, rest, walk)
            _leave(w, walk)
        else:
            _deliver(w, item, walk)

    def body(_: str) -> None:
        if first.ifs:
            _nested(w, first.ifs, _Then(inner), wanted=True)
        else:
            inner()

    each(w, first.iter, _Walk(body, target_of(first), walk.flag))


def _deliver(w: Writer, item: ast.expr, walk: _Walk) -> None:
    if isinstance(item, ast.Name) and walk.variable in (None, item.id):
        walk.body(item.id)
    else:
        name = walk.variable or w.out.fresh()
        w.out.assign(name, value(w, item))
        walk.body(name)


def _parents(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """The first argument of a navigation, and the source of the others."""
    parents, *others = node.args if isinstance(node, ast.Call) else [node]
    return parents, [ast.unparse(o) for o in others]


def _many(access: str) -> Callable[[Writer, ast.expr, _Walk], None]:
    """A navigation that gives any number of items for each parent."""

    def loop(w: Writer, node: ast.expr, walk: _Walk) -> None:
        parents, names = _parents(node)

        def body(parent: str) -> None:
            _for(w, access.format(parent, *names), walk)
            _leave(w, walk)

        each(w, parents, _Walk(body, None, walk.flag))

    return loop


def _extensions(w: Writer, node: ast.expr, walk: _Walk) -> None:
    parents, (url,) = _parents(node)

    def matching(name: str) -> None:
        with w.out.block(f"if {name}.get('url') == {url}:"):
            walk.body(name)

    def body(parent: str) -> None:
        _for(w, f"{parent}.get('extension') or ()", walk._replace(body=matching))
        _leave(w, walk)

    each(w, parents, _Walk(body, None, walk.flag))


def _at_most_one(access: str, condition: str) -> Callable[[Writer, ast.expr, _Walk], None]:
    """A navigation that gives at most one item for each parent."""

    def loop(w: Writer, node: ast.expr, walk: _Walk) -> None:
        parents, names = _parents(node)

        def body(parent: str) -> None:
            item = walk.variable or w.out.fresh()
            w.out.line(f"{item} = {access.format(parent, *names)}")
            with w.out.block(f"if {item} is not None{condition.format(parent, *names)}:"):
                walk.body(item)

        each(w, parents, _Walk(body, None, walk.flag))

    return loop


_LOOPS: dict[str, Callable[[Writer, ast.expr, _Walk], None]] = {
    "ListComp": _comprehension,
    "lists": _many("{0}.get({1}) or ()"),
    "list_texts": _many("texts({0}, {1}, {2})"),
    "extensions": _extensions,
    "singles": _at_most_one("{0}.get({1})", ""),
    "single_texts": _at_most_one("{0}.get({1})", " or {0}.get({2}) is not None"),
    "choices": _at_most_one("choice({0}, {1})", " or has_sibling({0}, {1})"),
}


# values


def value(w: Writer, node: ast.expr) -> ast.expr:
    """Writes what an expression needs and returns an expression without loops that has its value."""
    if not w.is_split(node):
        return node
    form = w.forms.shared(node)
    known = None if form is None else w.out.find(form)
    if known is not None:
        return ast.Name(known)
    made = _VALUES.get(kind_of(node), _rebuilt)(w, node)
    if form is not None:
        made = _named(w, made)
        w.out.remember(form, ast.unparse(made))
    return made


def _named(w: Writer, node: ast.expr) -> ast.expr:
    """Returns a variable or literal of this value: a variable of its own unless it is one."""
    if isinstance(node, ast.Name | ast.Constant):
        return node
    name = w.out.fresh()
    w.out.assign(name, node)
    return ast.Name(name)


def _rebuilt(w: Writer, node: ast.expr) -> ast.expr:
    """The same operation on parts without loops; Python computes all of them, in this order."""
    made: ast.expr = type(node)(*(_part(w, child) for _, child in ast.iter_fields(node)))
    return made


def _part(w: Writer, child: object) -> object:
    if isinstance(child, list):
        return [_part(w, item) for item in child]
    return value(w, child) if isinstance(child, ast.expr) else child


def _listed(w: Writer, node: ast.expr) -> ast.expr:
    name = w.out.fresh()
    w.out.line(f"{name} = []")
    _LOOPS[kind_of(node)](w, node, _Walk(lambda item: w.out.line(f"{name}.append({item})")))
    return ast.Name(name)


def _searched(w: Writer, node: ast.expr) -> ast.expr:
    search = search_of(node)
    if search is None:
        return _rebuilt(w, node)
    found = _found(w, search)
    return found if search.is_hit else _not(found)


def _counted(w: Writer, node: ast.expr) -> ast.expr:
    found = _argument(node)
    if kind_of(found) not in _LOOPS or w.forms.shared(found):
        return _rebuilt(w, node)
    name = w.out.fresh()
    w.out.line(f"{name} = 0")
    each(w, found, _Walk(lambda _: w.out.line(f"{name} += 1")))
    return ast.Name(name)


def _only(w: Writer, node: ast.expr) -> ast.expr:
    found = ast.unparse(_named(w, value(w, _argument(node))))
    return parsed(f"{found}[0] if len({found}) == 1 else one({found})")


def _argument(node: ast.expr) -> ast.expr:
    return node.args[0] if isinstance(node, ast.Call) else node


def _folded(w: Writer, node: ast.expr) -> ast.expr:
    found, start, step = node.args if isinstance(node, ast.Call) else (node, node, node)
    if not isinstance(step, ast.Lambda):
        return _rebuilt(w, node)
    item, total = (a.arg for a in step.args.args)
    result = step.body
    w.out.assign(total, value(w, start))
    each(w, found, _Walk(lambda _: w.out.assign(total, value(w, result)), item))
    return ast.Name(total)


def _tried(w: Writer, node: ast.expr) -> ast.expr:
    """A check sum: the quick way, or the ordinary one where a part is empty."""
    name = w.out.fresh()
    quick, ordinary = (a.body for a in (node.args if isinstance(node, ast.Call) else ()) if isinstance(a, ast.Lambda))
    with w.out.block("try:"):
        w.out.assign(name, value(w, quick))
    with w.out.block("except TypeError:"):
        w.out.assign(name, value(w, ordinary))
    return ast.Name(name)


def _converted(w: Writer, node: ast.expr) -> ast.expr:
    convert, found = (value(w, a) for a in (node.args if isinstance(node, ast.Call) else ()))
    named = _named(w, found)
    text, call = ast.unparse(named), f"{ast.unparse(convert)}({ast.unparse(named)})"
    # Python warns of a literal that is compared with None
    return parsed(call if isinstance(named, ast.Constant) else f"None if {text} is None else {call}")


def _either(w: Writer, node: ast.expr) -> ast.expr:
    """`a or b` for its value: the later operands only where they are needed."""
    if not isinstance(node, ast.BoolOp):
        return node
    first, *rest = node.values
    if not any(map(w.is_split, rest)):
        return ast.BoolOp(node.op, [value(w, first), *rest])
    name = w.out.fresh()
    w.out.assign(name, value(w, first))
    with w.out.block(f"if {'not ' if isinstance(node.op, ast.Or) else ''}{name}:"):
        w.out.assign(name, value(w, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)))
    return ast.Name(name)


def _chosen(w: Writer, node: ast.expr) -> ast.expr:
    if not isinstance(node, ast.IfExp):
        return node
    test = truth(w, node.test)
    if not w.is_split(node.body) and not w.is_split(node.orelse):
        return ast.IfExp(test, node.body, node.orelse)
    name = w.out.fresh()
    with w.out.block(f"if {ast.unparse(test)}:"):
        w.out.assign(name, value(w, node.body))
    with w.out.block("else:"):
        w.out.assign(name, value(w, node.orelse))
    return ast.Name(name)


def _comparison(w: Writer, node: ast.expr) -> ast.expr:
    plain = plain_comparison(node)
    if plain is None:
        return _rebuilt(w, node)
    return parsed(plain.test([ast.unparse(_named(w, value(w, o))) for o in plain.operands]))


_VALUES: dict[str, Callable[[Writer, ast.expr], ast.expr]] = {
    **dict.fromkeys(_LOOPS, _listed),
    "all": _searched,
    "any": _searched,
    "len": _counted,
    "one": _only,
    "folded": _folded,
    "whole_or": _tried,
    "converted": _converted,
    "BoolOp": _either,
    "IfExp": _chosen,
    "UnaryOp": truth,
    "Compare": _comparison,
}
