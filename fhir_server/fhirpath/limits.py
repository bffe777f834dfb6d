"""What an expression of a stranger may cost: a deadline and a number of items, https://owasp.org/www-community/attacks/.

Expressions of loaded definitions are trusted and run without a budget.
"""

from dataclasses import dataclass
from time import thread_time

from fhir_server.fhirpath.errors import too_costly

MAX_ITEMS = 50_000
"""Items of any intermediate collection under a budget: a resource of 10 MB has some 300,000 elements."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The cost that one evaluation may reach; it counts in the thread that made it.

    `ends_at` is the thread's processor time in seconds, not the clock's: a busy machine refuses nobody. `limit_ms` is how
    much that is from the start.
    """

    ends_at: float
    limit_ms: int

    def check(self, items: int) -> None:
        """Accepts an intermediate result of `items` items.

        Raises:
            EvaluationError: too many items, or the time is over.
        """
        if items > MAX_ITEMS:
            raise too_costly("a collection", MAX_ITEMS, "items")
        if thread_time() > self.ends_at:
            raise self.overrun()

    def remaining_s(self) -> float:
        """Returns the seconds that are left, at least a millisecond, so that it can be a time-out."""
        return max(self.ends_at - thread_time(), 0.001)

    def overrun(self) -> Exception:
        """Builds the error of an evaluation whose time is over."""
        return too_costly("evaluation", self.limit_ms, "milliseconds")


def budget_of(limit_ms: int) -> Budget:
    """Returns the budget of an evaluation that starts now, in this thread, and may take `limit_ms` of processor time."""
    return Budget(thread_time() + limit_ms / 1000, limit_ms)
