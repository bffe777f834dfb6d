"""The current moment: http://hl7.org/fhirpath/N1/#current-date-and-time-functions. One evaluation has one moment."""

from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, literal
from fhir_server.fhirpath.temporal import DATE, TIME, Temporal, of_datetime


def _now(scope: Scope, focus: Collection) -> Collection:
    return [literal(of_datetime(scope.environment.now))]


def _today(scope: Scope, focus: Collection) -> Collection:
    now = scope.environment.now
    return [literal(Temporal(DATE, (now.year, now.month, now.day)))]


def _time_of_day(scope: Scope, focus: Collection) -> Collection:
    now = of_datetime(scope.environment.now)
    return [literal(Temporal(TIME, now.parts[3:], now.fraction))]


FUNCTIONS = {"now": Function(_now), "today": Function(_today), "timeOfDay": Function(_time_of_day)}
