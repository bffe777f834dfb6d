"""When an item of a form is asked at all, https://hl7.org/fhir/R4/questionnaire.html#dependencies.

The answers that count stand below the innermost group that holds both questions: in a repeating group each repetition
looks at itself.
"""

from collections.abc import Mapping, Sequence

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath import EvaluationError, FhirPathError, compile  # noqa: A004 -- the room's own name
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.questionnaire_compare import all_of, any_of, holds
from fhir_server.validation.rules.questionnaire_form import Answering, Item, Trail, Value, choice_of

EXPRESSION = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"
NATIONAL_EXPRESSION = "http://phr.kanta.fi/StructureDefinition/fiphr-ext-questionnaire-enablewhen"


def is_enabled(item: Item, trail: Trail, run: Answering) -> bool | None:
    """Tells whether an item is asked, given the answers; None when that cannot be told."""
    expression = _expression(item)
    if expression is not None:
        return _evaluated(expression, run)
    conditions = [condition for _, condition in objects(item.source, "enableWhen")]
    if not conditions:
        return True
    answers = [_holds(condition, item, trail, run) for condition in conditions]
    behavior = item.source.get("enableBehavior")
    if behavior == "any" or len(answers) == 1:
        return any_of(answers)
    return all_of(answers) if behavior == "all" else None


def _expression(item: Item) -> str | None:
    """Returns the FHIRPath of an extension that takes the place of enableWhen; empty when it is another language."""
    found = item.limit(NATIONAL_EXPRESSION)
    if isinstance(found, str):
        return found
    value = item.limit(EXPRESSION)
    if type(value) is not dict:
        return None
    return text_of(value, "expression") if value.get("language") == "text/fhirpath" else ""


def _evaluated(expression: str, run: Answering) -> bool | None:
    try:
        return compile(expression, "QuestionnaireResponse").test(run.response, run.response, run.response)
    except (FhirPathError, EvaluationError, RecursionError):
        return None


def _holds(condition: JsonObject, item: Item, trail: Trail, run: Answering) -> bool | None:
    question = text_of(condition, "question")
    expected = choice_of(condition, "answer")
    if question not in run.form.by_link or expected is None:
        return None
    given = _answers(question, item, trail, run)
    comparison = text_of(condition, "operator")
    if comparison == "exists":
        return expected.value == bool(given) if type(expected.value) is bool else None
    return any_of(holds(comparison, one, expected) for one in given)


def _answers(question: str, item: Item, trail: Trail, run: Answering) -> Sequence[Value]:
    around = set(run.form.around(question))
    shared = next((link for link in run.form.around(item.link_id) if link in around), None)
    if shared is None:
        return _answers_below(run.response, run).get(question, ())
    focus = next((answered for asked, answered in reversed(trail) if asked.link_id == shared), None)
    return () if focus is None else _answers_below(focus, run).get(question, ())


def _answers_below(focus: JsonObject, run: Answering) -> Mapping[str, Sequence[Value]]:
    """Returns the answers below a response or an item of it, its own among them, by linkId; collected once."""
    known = run.answers.get(id(focus))
    if known is None:
        known = run.answers[id(focus)] = {}
        _collect(focus, known)
    return known


def _collect(focus: JsonObject, answers: dict[str, list[Value]]) -> None:
    own = answers.setdefault(text_of(focus, "linkId"), [])
    for _, answer in objects(focus, "answer"):
        value = choice_of(answer, "value")
        if value is not None:
            own.append(value)
        for _, inner in objects(answer, "item"):
            _collect(inner, answers)
    for _, inner in objects(focus, "item"):
        _collect(inner, answers)
