"""Extensions: each is looked up by its URL and meets its definition, https://hl7.org/fhir/R4/extensibility.html."""

from collections.abc import Callable, Iterable
from typing import Any

from fhir_server.definitions.registry import StructureDefinition
from fhir_server.errors import Severity
from fhir_server.validation.checks import all_of
from fhir_server.validation.report import Finding, Findings, at, found, joined, listing, shown
from fhir_server.validation.rules.extension_context import build_context
from fhir_server.validation.rules.invariant import failed
from fhir_server.validation.rules.known_systems import is_absolute
from fhir_server.validation.site import Build, Check, Scope
from fhir_server.validation.sure import Source, Sure, by_shape, described, sure_of, sure_of_shape

EXT_1 = "Must have either extensions or value[x], not both"
EXT_1_ZH = "扩展必须有子扩展或 value[x] 之一,不能都有,也不能都没有"


def build_extension(check_content: Check, build: Build, *, owner: str, is_modifier: bool) -> Check:
    """Returns the check of one extension: R4's own on its content, then the definition that its URL names.

    `owner` is the type or backbone path that it stands in; an extension within another one may have a relative URL, which
    its parent defines. `is_modifier` tells a modifierExtension.
    """
    definition_of = _definitions(build, owner=owner, is_modifier=is_modifier)

    def check(value: Any, scope: Scope) -> Findings | None:
        result = check_content(value, scope)
        definition = definition_of(value.get("url")) if type(value) is dict else None
        more = None if definition is None else definition(value, scope)
        return result if more is None else joined(result, more)

    def make(shape: tuple[str, ...]) -> Sure | None:
        url, *keys = shape
        if ":" in url and build.definitions.structure(url) is None:
            return None  # what clients invent must not fill the memory
        whole = all_of([check_content, definition_of(url)])
        return whole and sure_of_shape(whole, keys)

    def general(value: Any, scope: Scope) -> bool:
        definition = definition_of(value["url"])
        return sure_of(check_content)(value, scope) and (definition is None or definition(value, scope) is None)

    find, unseen = by_shape(lambda value: (value["url"], *value), general, make)

    def emit(source: Source, value: str) -> None:
        shape = f"({value}['url'], *{value})"
        source.refuse_if(f"not {source.constant(find)}({shape}, {source.constant(unseen)})({value}, s)")

    return described(check, emit)


def _definitions(build: Build, *, owner: str, is_modifier: bool) -> Callable[[Any], Check | None]:
    """Returns what finds the check of the definition that a URL names; None where the URL names none."""
    is_nested = owner == "Extension"
    known: dict[str, Check] = {}

    def definition_of(url: Any) -> Check | None:
        if type(url) is not str or (is_nested and ":" not in url):
            return None
        check = known.get(url)
        if check is None:
            check = _definition_check(url, build, owner=owner, is_modifier=is_modifier)
            if build.definitions.structure(url) is not None:  # what clients invent must not fill the memory
                known[url] = check
        return check

    return definition_of


def _definition_check(url: str, build: Build, *, owner: str, is_modifier: bool) -> Check:
    structure = build.definitions.structure(url)
    if structure is None or structure.type != "Extension":
        return _unknown(url, is_modifier=is_modifier)
    if _is_modifier(structure) != is_modifier:
        return lambda _value, _scope: found("validation.extension-modifier", url=url, expected=_place(structure))
    if "|" in url and url != structure.url:
        return lambda _value, _scope: at(found("validation.extension-version", url=shown(url)), "url")
    defined = build.profile_check(url) or _nothing
    return all_of([defined, _parts_check(structure), build_context(structure, owner, build)]) or _nothing


def _parts_check(structure: StructureDefinition) -> Check | None:
    """Returns the check that the parts of a complex extension are among those defined, told by their relative URLs."""
    urls = [e.fixed[1] for e in structure.elements if e.path == "Extension.extension.url" and e.fixed]
    names = frozenset(urls)
    if not names:
        return None  # a simple extension: its definition allows no parts at all

    def check(value: Any, _: Scope) -> Findings | None:
        parts = value.get("extension") if type(value) is dict else None
        if parts is None:
            return None
        result: Findings | None = None
        for index, part in enumerate(parts if type(parts) is list else ()):
            url = part.get("url") if type(part) is dict else None
            if type(url) is str and ":" not in url and url not in names:
                fault = found(
                    "validation.extension-part", url=shown(url), profile=structure.url, expected=listing(names)
                )
                result = joined(result, at(fault, index, "extension"))
        return result

    def emit(source: Source, value: str) -> None:
        known = source.known_keys(value)
        if known is not None and "extension" not in known:
            return
        part = source.variable("y")
        with source.block(f"for {part} in {source.member(value, 'extension')} or ():"):
            source.refuse_if(f"{part}['url'] not in {source.constant(names)} and ':' not in {part}['url']")

    return described(check, emit)


def build_ext_1(keys: Iterable[str]) -> Check:
    """Returns the check of ext-1: parts or a value, not both and not neither; `keys` are those of all values."""
    values = frozenset(keys)

    def check(value: Any, _: Scope) -> Findings | None:
        return failed("ext-1", EXT_1, EXT_1_ZH) if ("extension" in value) != values.isdisjoint(value) else None

    return check


def _unknown(url: str, *, is_modifier: bool) -> Check:
    if not is_absolute(url):
        return lambda _value, _scope: at(found("validation.extension-relative", url=shown(url)), "url")
    key = "validation.modifier-extension-unknown" if is_modifier else "validation.extension-unknown"

    def check(_: Any, scope: Scope) -> Findings | None:
        severity = Severity.ERROR if is_modifier else scope.policy.unknown_extension
        is_known_place = any(_lies_in(url, domain) for domain in scope.policy.extension_domains)
        return [Finding(key, {"url": shown(url)}, Severity.INFORMATION if is_known_place else severity)]

    return check


def _lies_in(url: str, domain: str) -> bool:
    """Tells whether a URL begins with a URL, or has a host or a domain above it."""
    if ":" in domain:
        return url.startswith(domain)
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    return host == domain or host.endswith(f".{domain}")


def _nothing(_value: Any, _scope: Scope) -> Findings | None:
    return None


def _is_modifier(structure: StructureDefinition) -> bool:
    return structure.elements[0].is_modifier


def _place(structure: StructureDefinition) -> str:
    return "modifierExtension" if _is_modifier(structure) else "extension"
