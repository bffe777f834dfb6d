"""What a function of FHIRPath is to the evaluator."""

from collections.abc import Callable
from dataclasses import dataclass

from fhir_server.fhirpath.nodes import Collection


@dataclass(frozen=True, slots=True)
class Function:
    """A function: `call(scope, input, *arguments)`, taking `least` to `most` arguments.

    Arguments come as collections, evaluated where the function was called; with `lazy` they come as closures, for the
    function to evaluate on each item.
    """

    call: Callable[..., Collection]
    least: int = 0
    most: int = 0
    lazy: bool = False
