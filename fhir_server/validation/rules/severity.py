"""How severe a finding is that R4 leaves to the policy of whoever validates, https://hl7.org/fhir/R4/validation.html."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from fhir_server.errors import Severity
from fhir_server.validation.policy import Policy
from fhir_server.validation.report import Finding, Findings


def by_policy(policy: Policy) -> Severity:
    """Returns an error under a strict policy, else a warning: a server keeps what it may."""
    return Severity.ERROR if policy.strict else Severity.WARNING


def softened(findings: Iterable[Finding], keys: Collection[str] = ()) -> Findings:
    """Returns the findings with errors as warnings: those of these keys, or all where none are named."""
    return [
        replace(one, severity=Severity.WARNING)
        if one.severity is Severity.ERROR and (not keys or one.key in keys)
        else one
        for one in findings
    ]
