"""The rules that a set of stored definitions makes, built aside, https://hl7.org/fhir/R4/profiling.html."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from fhir_server.definitions.registry import Definitions, SearchParameter
from fhir_server.errors import Issue, Severity, issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import RuleSet, rule_set
from fhir_server.operations.live_parameters import TYPE as PARAMETER
from fhir_server.operations.live_parameters import added_by
from fhir_server.store.contract import Key
from fhir_server.validation import ProfileError, Validator
from fhir_server.validation.compile import Compiler

Stored: TypeAlias = Mapping[Key, JsonObject]
"""Definitions as they are stored, by key."""

STRUCTURE = "StructureDefinition"


@dataclass(frozen=True, slots=True)
class Live:
    """Stored definitions and the rules that they make; `faults` tells which are left out, and why."""

    stored: Stored
    rules: RuleSet
    faults: Mapping[Key, Sequence[Issue]]
    ready: frozenset[Key] = frozenset()
    parameters: Mapping[Key, Sequence[SearchParameter]] = field(default_factory=dict)


def build_live(
    base: RuleSet, stored: Stored, before: Live, changed: Collection[Key], ready: frozenset[Key] = frozenset()
) -> Live:
    """Returns the rules of `base` with what is stored, where `changed` is what has been written since `before`.

    `ready` are the SearchParameters that everything stored is filed by; the others are for new writes alone.

    What cannot be used is left out. Profiles that are not as they were in `before` are compiled to see whether they can
    be, about 2 ms each; so are the types that the validator before has met, about 20 ms each, and everything else when it
    is first met. SearchParameters leave the validator as it is. It holds no lock and may run in a thread.
    """
    faults: dict[Key, Sequence[Issue]] = {}
    known = before.rules.definitions
    while True:
        usable = {key: resource for key, resource in stored.items() if key not in faults}
        left_out = [*chain.from_iterable(faults.values())]
        definitions = base.definitions.extended(in_order(usable.values()), reuse=known, left_out=left_out)
        found = _left_out(definitions, usable)
        found |= _not_compiled(definitions, known, usable.keys() - found.keys(), changed)
        faults |= found
        if not found:
            validator = before.rules.validator if {key.type for key in changed} <= {PARAMETER} else None
            live = Live(stored, replace(base, definitions=definitions), faults, ready)
            return _with_parameters(live, base, before, validator or _prepared(definitions, before))


def _prepared(definitions: Definitions, before: Live) -> Validator:
    """Returns a validator with what the one before has been asked for compiled already: requests should not wait for it."""
    validator = Validator(definitions)
    validator.prepare(before.rules.validator.met)
    return validator


def _with_parameters(live: Live, base: RuleSet, before: Live, validator: Validator) -> Live:
    definitions = live.rules.definitions
    added = added_by(definitions, {k: resource for k, resource in live.stored.items() if k not in live.faults})
    same = added.parameters == before.parameters
    every = added.join(definitions, list(added.parameters))
    extractor = before.rules.extractor if same else base.extractor.over(every)
    waiting = [one for key, ones in added.parameters.items() if key not in live.ready for one in ones]
    unready: dict[tuple[str, str], str] = {(one.bases[0], one.code): one.url for one in waiting}
    rules = rule_set(added.join(definitions, sorted(live.ready)), validator, extractor)
    faults = {**live.faults, **added.faults}
    return Live(live.stored, replace(rules, unready=unready), faults, live.ready, added.parameters)


def in_order(resources: Iterable[JsonObject]) -> list[JsonObject]:
    """Returns resources so that of those with one URL the highest version comes last, the latest written of equal ones."""
    return sorted(resources, key=lambda r: (_numbers(r.get("version")), r.get("meta", {}).get("lastUpdated", "")))


def _numbers(version: object) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d{1,18}", version))) if isinstance(version, str) else ()


def _left_out(definitions: Definitions, usable: Stored) -> dict[Key, Sequence[Issue]]:
    found: dict[Key, Sequence[Issue]] = {}
    by_name = {str(key): key for key in usable}
    for one in definitions.findings:
        key = by_name.get(str(one.params["file"]))
        if key is not None and one.severity == Severity.ERROR:
            found[key] = (*found.get(key, ()), one)
    return found


def _not_compiled(
    definitions: Definitions, known: Definitions, usable: Collection[Key], changed: Collection[Key]
) -> dict[Key, Sequence[Issue]]:
    """Returns what is wrong with new profiles once they are compiled; with somebody else's, the changed ones are to blame."""
    problems = _problems([s.url for s in definitions.profiles() if known.structure(s.url) is not s], definitions)
    if not problems:
        return {}
    profiles = [key for key in usable if key.type == STRUCTURE]
    blamed = [key for key in profiles if any(line.startswith(f"{key}: ") for line in problems)]
    return {key: _faults(key, problems) for key in blamed or [k for k in profiles if k in changed]}


def _problems(urls: Iterable[str], definitions: Definitions) -> Sequence[str]:
    trial = Compiler(definitions)
    for url in urls:
        try:
            trial.profile_check(url)
        except ProfileError as error:
            trial.problems[str(error)] = None
    return list(trial.problems)


def _faults(key: Key, problems: Sequence[str]) -> Sequence[Issue]:
    own = [line for line in problems if line.startswith(f"{key}: ")] or problems
    reasons = (line.removeprefix(f"{key}: ") for line in own)
    return [issue("definitions.profile-broken", STRUCTURE, file=str(key), reason=reason) for reason in reasons]
