"""The composition root: settings in, wired application out. Only here are concrete parts picked."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from fhir_server.clock import Clock, IdSource, RandomIds, SystemClock
from fhir_server.definitions.packages import load_definitions
from fhir_server.interactions.context import OperationPlace, Parts, Rules, RuleSet, rule_set
from fhir_server.interactions.policy import WritePolicy
from fhir_server.operations.convert import convert
from fhir_server.operations.diff import diff
from fhir_server.operations.document import document
from fhir_server.operations.everything import everything
from fhir_server.operations.explain import explain
from fhir_server.operations.fhirpath import fhirpath
from fhir_server.operations.graphql import graphql
from fhir_server.operations.lastn import lastn
from fhir_server.operations.live_definitions import with_live_definitions
from fhir_server.operations.match_patients import match_patients
from fhir_server.operations.meta import meta, meta_add, meta_delete
from fhir_server.operations.reindex import reindex, reindex_status
from fhir_server.operations.snapshot import snapshot
from fhir_server.operations.terminology_expand import expand
from fhir_server.operations.terminology_lookup import lookup, subsumes
from fhir_server.operations.terminology_translate import translate_code
from fhir_server.operations.terminology_validate_code import validate_code
from fhir_server.operations.validate import validate
from fhir_server.search.cursor import PageTokens
from fhir_server.search.extract import Extractor
from fhir_server.settings import Settings
from fhir_server.store.contract import SharedStore
from fhir_server.validation import Validator

OPERATIONS: Mapping[str, OperationPlace] = {
    "convert": OperationPlace(convert, on_system=True),
    "diff": OperationPlace(diff, on_instance=True, verbs=("GET", "POST")),
    "document": OperationPlace(document, on_type=True, on_instance=True, verbs=("GET", "POST")),
    "everything": OperationPlace(everything, on_type=True, on_instance=True, verbs=("GET", "POST")),
    "graphql": OperationPlace(graphql, on_system=True, on_instance=True, verbs=("GET", "POST")),
    "lastn": OperationPlace(lastn, on_type=True, verbs=("GET", "POST")),
    "match": OperationPlace(match_patients, on_type=True),
    "meta": OperationPlace(meta, on_system=True, on_type=True, on_instance=True, verbs=("GET", "POST")),
    "meta-add": OperationPlace(meta_add, on_instance=True),
    "meta-delete": OperationPlace(meta_delete, on_instance=True),
    "expand": OperationPlace(expand, on_type=True, on_instance=True, verbs=("GET", "POST")),
    "lookup": OperationPlace(lookup, on_type=True, verbs=("GET", "POST")),
    "subsumes": OperationPlace(subsumes, on_type=True, on_instance=True, verbs=("GET", "POST")),
    "translate": OperationPlace(translate_code, on_type=True, on_instance=True, verbs=("GET", "POST")),
    "validate-code": OperationPlace(validate_code, on_type=True, on_instance=True, verbs=("GET", "POST")),
    "fhirpath": OperationPlace(fhirpath, on_system=True),
    "explain": OperationPlace(explain, on_system=True, on_type=True, verbs=("GET", "POST")),
    "reindex": OperationPlace(reindex, on_system=True, on_type=True, on_instance=True),
    "reindex-status": OperationPlace(reindex_status, on_system=True, verbs=("GET", "DELETE")),
    "snapshot": OperationPlace(snapshot, on_type=True, on_instance=True, verbs=("POST", "GET")),
    "validate": OperationPlace(validate, on_system=True, on_type=True, on_instance=True, verbs=("POST", "GET")),
}


class UnknownStore(ValueError):
    """The `store` setting names no store that this installation has."""


def open_store_of(url: str, *, bulk: bool = False, limit_ms: int = 30_000) -> SharedStore:
    """Opens the store of a URL: `sqlite:///fhir.db`, `sqlite:////absolute/fhir.db` or `sqlite:///:memory:`.

    `limit_ms` is the longest that one read of it may take, in milliseconds.

    Raises:
        UnknownStore: another scheme.
    """
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        msg = f"store {url!r} is not known; use sqlite:///PATH or sqlite:///:memory:"
        raise UnknownStore(msg)
    from fhir_server.store.sqlite.open import open_store

    return open_store(path, bulk=bulk, limit_s=limit_ms / 1000)


def _write_policy(settings: Settings) -> WritePolicy:
    return WritePolicy(
        referential_integrity=settings.referential_integrity == "on",
        conditional_delete="multiple" if settings.conditional_delete == "multiple" else "single",
        cascade_delete=settings.cascade_delete == "on",
        most_deleted=settings.max_deleted,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What needs no store, and is the same for all processes that serve one: compiled definitions, the secret of pages."""

    rules: RuleSet
    pages: PageTokens


def prepare(settings: Settings) -> Prepared:
    """Compiles every definition of ours, so that what can be wrong is wrong now; opens no store and starts no thread.

    R4's own types are compiled when they are first met; the tests compile them all.

    Raises:
        DefinitionError: a definition of ours is broken; the message names the file and the place in it.
    """
    definitions = load_definitions(packages=settings.package_paths, base=settings.canonical_base)
    validator = Validator(definitions)
    validator.compile_all()
    extractor = Extractor(definitions, ZoneInfo(settings.zone), base_url=settings.base_url)
    secret = settings.page_secret.encode() or secrets.token_bytes(32)
    return Prepared(rule_set(definitions, validator, extractor), PageTokens(secret))


def build_parts(
    settings: Settings,
    *,
    store: SharedStore | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    prepared: Prepared | None = None,
) -> Parts:
    """Wires everything, with what has been prepared or else is now.

    Raises:
        DefinitionError: a definition of ours is broken; the message names the file and the place in it.
        StoreUnavailable: the store cannot be opened or read.
    """
    prepared = prepared or prepare(settings)
    opened = store or open_store_of(settings.store, limit_ms=settings.search_limit_ms)
    parts = Parts(
        settings=settings,
        rules=Rules(prepared.rules),
        store=opened,
        clock=clock or SystemClock(),
        ids=ids or RandomIds(),
        pages=prepared.pages,
        operations=OPERATIONS,
        policy=_write_policy(settings),
    )
    return with_live_definitions(parts, opened)
