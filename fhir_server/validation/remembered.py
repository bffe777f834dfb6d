"""Values seen before: coded values repeat in nearly every resource, and the same JSON need not be judged twice.

See https://hl7.org/fhir/R4/datatypes.html#CodeableConcept.
"""

from typing import Any

import msgspec

from fhir_server.validation.report import Findings
from fhir_server.validation.rules.invariant import BY_HAND
from fhir_server.validation.site import Check, Scope
from fhir_server.validation.tree import Node

REMEMBERED = frozenset({"CodeableConcept", "Coding", "Meta"})
"""Types without numbers and references: what they look like alone decides whether they are valid."""
MOST_VALUES = 4096
MOST_BYTES = 1000
"""How many values a check remembers, and how long the JSON of one may be; when there are more it starts anew."""

_UNFIT = (TypeError, ValueError, OverflowError, RecursionError)
"""What the encoder raises for values that are no JSON."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def remembering(check: Check) -> Check:
    """Returns the same check that accepts at once what it found valid before.

    `check` must not look at the scope for values without extensions.
    """
    valid: set[bytes] = set()

    def check_once(value: Any, scope: Scope) -> Findings | None:
        try:
            text = _encode(value)
        except _UNFIT:
            return check(value, scope)
        if text in valid:
            return None
        result = check(value, scope)
        if result is None and len(text) <= MOST_BYTES and b'"extension"' not in text:
            if len(valid) >= MOST_VALUES:
                valid.clear()
            valid.add(text)
        return result

    return check_once


def is_plain(node: Node) -> bool:
    """Tells whether what a profile says of an element depends on nothing but the value: no invariants, no profiles.

    Extensions do not count, because values that have some are not remembered.
    """
    element, below = node.element, [*node.children.items(), *((node.element.path, one) for one in node.slices.values())]
    if any(c.key not in BY_HAND for c in element.constraints) or any(t.profiles or t.targets for t in element.types):
        return False
    return all(name == "extension" or is_plain(one) for name, one in below)
