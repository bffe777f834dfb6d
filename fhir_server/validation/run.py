"""Validation of a resource: R4's own rules, and the profiles that it names or is asked to meet.

See https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from fhir_server.definitions.registry import Definitions
from fhir_server.errors import Issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.compile import Compiler
from fhir_server.validation.policy import SERVER, Policy, Resolve, nowhere
from fhir_server.validation.report import Findings, found, issues_of, joined
from fhir_server.validation.rules.resource import check_resource, resource_type_fault, scope_of
from fhir_server.validation.site import MAX_DEPTH, ProfileError, Scope, TooDeep


class Validator:
    """Checks resources against one immutable set of definitions. Safe to use from several threads.

    With `is_quick` false every check runs on every value, which finds the same and is the oracle of the quick forms.
    """

    def __init__(self, definitions: Definitions, *, is_quick: bool = True) -> None:
        self._compiler = Compiler(definitions, is_quick=is_quick)
        self._known = definitions.model.resources
        self._definitions = definitions
        self._met: set[str] = set()

    @property
    def met(self) -> frozenset[str]:
        """The resource types that have come so far."""
        return frozenset(self._met)

    def prepare(self, types: Collection[str]) -> None:
        """Compiles these types, and the profiles on them and on extensions, before the first such resource waits for it.

        About 20 ms a type; it may run in a thread beside requests. What cannot be compiled is told when it is needed.
        """
        for type_ in sorted(types):
            self.check({"resourceType": type_})
        for profile in self._definitions.profiles():
            with suppress(ProfileError):
                if profile.type in types:
                    self.check({"resourceType": profile.type}, profiles=[profile.url])
                elif types and profile.type == "Extension":
                    self._compiler.profile_check(profile.url)

    def compile_all(self, types: Iterable[str] = ()) -> None:
        """Compiles these types and every profile of the loaded packages now, instead of when first needed.

        Raises:
            ProfileError: definitions of a package cannot be compiled; the message names every file and element.
        """
        self._compiler.compile_all(types)

    def check(
        self,
        resource: JsonObject,
        *,
        profiles: Sequence[str] = (),
        use_meta: bool = True,
        policy: Policy = SERVER,
        resolve: Resolve = nowhere,
    ) -> list[Issue]:
        """Returns every finding, in the order of the resource; an empty list when there is none.

        `profiles` are canonicals that the resource has to meet; an unknown one is an error. `use_meta` adds those in
        `meta.profile`, here and in resources within; an unknown one is a warning. `resolve` finds the targets of references
        outside the resource, if `policy` wants them checked. Paths are FHIRPath expressions that
        start at the type (`Observation.component[1].value.ofType(Quantity).code`).
        """
        fault = resource_type_fault(resource, self._known)
        if fault is not None:
            return issues_of(fault, "Resource")
        type_ = resource["resourceType"]
        self._met.add(type_)
        try:
            findings = self._findings(
                resource, profiles, scope_of(resource, use_meta=use_meta, policy=policy, resolve=resolve)
            )
        except TooDeep:
            findings = found("validation.too-deep", max=MAX_DEPTH)
        return issues_of(findings, type_) if findings else []

    def _findings(self, resource: JsonObject, profiles: Sequence[str], scope: Scope) -> Findings | None:
        result = check_resource(resource, scope, self._compiler)
        for url in profiles:
            check = self._compiler.profile_check(url)
            more = found("validation.profile-unknown", profile=url) if check is None else check(resource, scope)
            result = joined(result, more)
        return result
