"""The compiler: every type and profile becomes one check, built when first needed, https://hl7.org/fhir/R4/validation.html.

R4's own types are compiled whole (`type_compile.py`); a profile is compiled as what it adds to them
(`profile_compile.py`), so that a value is always checked against its type first and then against the differences.
"""

from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import Any

from fhir_server.definitions.registry import Definitions
from fhir_server.terminology import LocalTerminology
from fhir_server.validation.profile_compile import build_profile
from fhir_server.validation.report import Findings
from fhir_server.validation.rules.primitive import CHECKS
from fhir_server.validation.site import Check, ProfileError, Scope, Site, deeper
from fhir_server.validation.sure import Source, as_is, described, quickened, sure_of
from fhir_server.validation.type_compile import build_type


class Compiler:
    """Builds checks on demand and keeps them. Safe to use from several threads."""

    def __init__(self, definitions: Definitions, *, is_quick: bool = True) -> None:
        self._quicken = quickened if is_quick else as_is
        self.definitions = definitions
        self.terminology = LocalTerminology(definitions)
        self.problems: dict[str, None] = {}
        self._types: dict[str, Check] = dict(CHECKS)
        self._profiles: dict[str, Check] = {}
        self._in_work: set[str] = set()
        self._lock = RLock()

    def type_check(self, type_: str) -> Check:
        """Returns R4's own check of a type or backbone path.

        Raises:
            KeyError: R4 has no such type.
        """
        return self._types.get(type_) or self._built(type_, self._types, lambda: build_type(type_, self, self._quicken))

    def profile_check(self, url: str) -> Check | None:
        """Returns what a profile (`|version` is ignored) adds to the check of its type; None when it is not known.

        Raises:
            ProfileError: its snapshot is broken.
        """
        known = self._profiles.get(url)
        if known is not None:
            return known
        plain = url.partition("|")[0]
        structure = self.definitions.structure(plain)
        if structure is None:
            return None
        return self._built(plain, self._profiles, lambda: build_profile(structure, self, self._quicken))

    def report(self, site: Site, reason: str) -> None:
        """Notes a mistake in a definition of a loaded package; R4's own are as they are."""
        if site.file:
            self.problems[f"{site.file}: {site.place}: {reason}"] = None

    def compile_all(self, types: Iterable[str]) -> None:
        """Builds the checks of these types and of every profile of the loaded packages.

        Raises:
            ProfileError: definitions of a package cannot be compiled; the message names every file and element.
        """
        for type_ in types:
            self.type_check(type_)
        for structure in self.definitions.profiles():
            try:
                self.profile_check(structure.url)
            except ProfileError as error:
                self.problems[str(error)] = None
        if self.problems:
            raise ProfileError("\n".join(self.problems))

    def _built(self, name: str, finished: dict[str, Check], build: Callable[[], Check]) -> Check:
        with self._lock:
            if name in self._in_work:  # it contains itself: look it up when it runs, one step further down
                return _one_step_deeper(name, finished)
            if name not in finished:
                self._in_work.add(name)
                try:
                    finished[name] = build()
                finally:
                    self._in_work.discard(name)
            return finished[name]


def _one_step_deeper(name: str, finished: Mapping[str, Check]) -> Check:
    def check(value: Any, scope: Scope) -> Findings | None:
        return finished[name](value, deeper(scope))

    def sure(value: Any, scope: Scope) -> bool:
        return sure_of(finished[name])(value, deeper(scope))

    def emit(source: Source, value: str) -> None:
        if name == "Extension":  # they are many, and where JSON may nest no deeper they end in time
            source.check(finished[name], value)
        else:
            source.refuse_if(f"not {source.constant(sure)}({value}, s)")

    return described(check, emit)
