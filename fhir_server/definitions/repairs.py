"""Faulty invariants of the published R4 and what runs instead, https://hl7.org/fhir/R4/fhirpath.html.

The repairs are those that the official Java validator applies to 4.0.1. A repair applies to the published text alone,
so that a profile which repeats an R4 constraint in its snapshot is repaired too, and one that corrects it is left alone.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Repair:
    """What R4 published, what runs instead, and why."""

    published: str
    runs: str
    reason: str


def _anchored(published: str, reason: str) -> Repair:
    """Lets `path.matches('...')` cover the whole text."""
    pattern = published.removeprefix("path.matches('").removesuffix("')")
    return Repair(published, f"path.matches('^{pattern}$')", reason)


_NAME_RULE: Final = "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')"
_NAMED: Final = Repair(
    _NAME_RULE,
    "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
    "matches() is content with a part, so the rule needs anchors; without a name there is nothing to check",
)
_NAMELESS: Final = Repair(_NAME_RULE, "true", "the rule was copied into a type that has no element `name`")
_PARTIAL: Final = "matches() is content with a part of the path, so the rule needs anchors"
_CONDITION: Final = "http://terminology.hl7.org/CodeSystem/condition-"

REPAIRS: Final = MappingProxyType(
    {
        "bdl-8": Repair(
            "fullUrl.contains('/_history/').not()",
            "fullUrl.exists() implies fullUrl.contains('/_history/').not()",
            "without fullUrl the published rule is empty, which fails",
        ),
        "cid-0": _NAMELESS,
        "con-3": Repair(
            f"clinicalStatus.exists() or verificationStatus.coding.where(system='{_CONDITION}ver-status' and code = "
            "'entered-in-error').exists() or category.select($this='problem-list-item').empty()",
            f"(verificationStatus.coding.where(system='{_CONDITION}ver-status' and code = 'entered-in-error').exists() "
            f"and category.coding.exists(system='{_CONDITION}category' and code ='problem-list-item').empty()) "
            "implies (clinicalStatus.exists())",
            "a CodeableConcept never equals a string, so the published rule demands a status of every condition",
        ),
        "dom-6": Repair(
            "text.`div`.exists()",
            "(%rootResource != $this) or text.`div`.exists()",
            "contained resources need no narrative of their own",
        ),
        "eld-19": _anchored(
            r"""path.matches('[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]{1,64}"""
            r"""(\\.[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]{1,64}(\\[x\\])?(\\:[^\\s\\.]+)?)*')""",
            _PARTIAL,
        ),
        "eld-20": _anchored(r"path.matches('[A-Za-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*(\\[x])?)*')", _PARTIAL),
        "inv-0": _NAMELESS,
        "opd-3": Repair(
            "targetProfile.exists() implies (type = 'Reference' or type = 'canonical')",
            "targetProfile.exists() implies (type = 'Reference' or type = 'canonical' or "
            "type.memberOf('http://hl7.org/fhir/ValueSet/resource-types'))",
            "a parameter may be typed with a resource type",
        ),
        "que-12": Repair(
            "enableWhen.count() > 2 implies enableBehavior.exists()",
            "enableWhen.count() >= 2 implies enableBehavior.exists()",
            "two conditions already need to be told how they combine",
        ),
        "que-7": Repair(
            "operator = 'exists' implies (answer is Boolean)",
            "operator = 'exists' implies (answer is boolean)",
            "the FHIR type is spelled boolean",
        ),
        "ras-2": Repair(
            "probability is decimal implies (probability as decimal) <= 100",
            "(probability.exists() and (probability is decimal)) implies ((probability as decimal) <= 100)",
            "without probability the published rule is empty, which fails",
        ),
        "ref-1": Repair(
            "reference.startsWith('#').not() or "
            "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids'))",
            "reference.exists() implies (reference = '#' or (reference.startsWith('#').not() or "
            "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids'))))",
            "a reference may have only an identifier, and `#` alone means the container",
        ),
        "tim-9": Repair(
            "offset.empty() or (when.exists() and ((when in ('C' | 'CM' | 'CD' | 'CV')).not()))",
            "offset.empty() or (when.exists() and when.select($this in ('C' | 'CM' | 'CD' | 'CV')).allFalse())",
            "`when` repeats, and `in` takes one value",
        ),
        "txt-2": Repair("htmlChecks()", "htmlChecks2()", "it asks for text in the narrative, txt-1 for allowed tags"),
    }
)
"""The repairs by constraint key; the naming rule, which has a key for every definition type, is `_NAMED`."""


def repaired(key: str, expression: str) -> str:
    """Returns what runs for the constraint `key`: the repair of R4's own text, or the expression as it stands."""
    repair = REPAIRS.get(key, _NAMED)
    return repair.runs if expression == repair.published else expression
