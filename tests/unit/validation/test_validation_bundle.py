"""Bundles: fullUrls, links, search results, documents, https://hl7.org/fhir/R4/bundle.html."""

import pytest

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
BASE = "https://a.b/fhir"
URN = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
OTHER = "urn:uuid:c757873d-ec9a-4326-a141-556f43239521"
PATIENT = {"resourceType": "Patient"}
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational"}],
}


def bundle(*entries: object, type_="collection", **more: object):
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries), **more}


def entry(url, resource, **more: object):
    return {"fullUrl": url, "resource": resource, **more}


def keys(found):
    return {(key, path) for severity, key, path in found if severity == "error"}


def test_a_rest_url_needs_the_id_of_its_resource(check):
    assert keys(check(bundle(entry(f"{BASE}/Patient/1", PATIENT)))) == {
        ("validation.bundle-full-url-no-id", "Bundle.entry[0].fullUrl")
    }
    assert keys(check(bundle(entry(f"{BASE}/Patient/1", {**PATIENT, "id": "1"})))) == set()


@pytest.mark.parametrize("url", [f"{BASE}/Obervation/1", "https://a.b/f~o/Patient/1", URN])
def test_other_urls_need_no_id(check, url):
    assert keys(check(bundle(entry(url, PATIENT)))) == set()


def test_a_canonical_url_as_full_url_ends_with_the_id(check):
    definition = {
        "resourceType": "Library",
        "status": "draft",
        "type": {"text": "x"},
        "url": "http://a.b/lib",
        "id": "1",
    }
    found = check(bundle(entry("http://a.b/lib", definition)))
    assert keys(found) == {("validation.bundle-full-url-canonical", "Bundle.entry[0].fullUrl")}
    same = {**definition, "url": "http://a.b/Library/1"}
    assert keys(check(bundle(entry("http://a.b/Library/1", same)))) == set()


@pytest.mark.parametrize(
    ("type_", "policy", "faults"),
    [
        ("collection", STRICT, {("validation.bundle-full-url-missing", "Bundle.entry[0]")}),
        ("collection", Policy(), set()),
        ("transaction", STRICT, set()),
    ],
)
def test_a_missing_full_url_is_an_error_under_a_strict_policy(check, type_, policy, faults):
    one = {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
    one = one if type_ == "transaction" else {"resource": PATIENT}
    assert keys(check(bundle(one, type_=type_), policy=policy)) == faults


def links(*relations: object):
    return [{"relation": relation, "url": f"{BASE}/Patient"} for relation in relations]


@pytest.mark.parametrize(
    ("type_", "relations", "faults"),
    [
        ("searchset", ("self", "first", "next"), set()),
        ("searchset", ("self", "next", "self"), {("validation.bundle-link-twice", "Bundle.link[2]")}),
        ("history", ("next", "next"), {("validation.bundle-link-twice", "Bundle.link[1]")}),
        ("collection", ("self", "related"), set()),
        ("collection", ("first",), {("validation.bundle-link-paging", "Bundle.link[0].relation")}),
        ("collection", ("related", "related"), set()),
    ],
)
def test_links_are_those_of_the_type_and_each_stands_once(check, type_, relations, faults):
    found = check({"resourceType": "Bundle", "type": type_, "link": links(*relations)})
    assert keys(found) == faults


def result(*entries: object, url=f"{BASE}/Patient?name=x"):
    return bundle(*entries, type_="searchset", link=[{"relation": "self", "url": url}])


@pytest.mark.parametrize(
    ("url", "resource", "mode", "fault"),
    [
        (f"{BASE}/Patient?name=x", {**PATIENT, "id": "1"}, "match", None),
        (f"{BASE}/Patient?name=x", PATIENT, "match", "validation.search-no-id"),
        (f"{BASE}/Patient?name=x", PATIENT, "include", "validation.search-no-id"),
        (f"{BASE}/Group?name=x", {**PATIENT, "id": "1"}, "match", "validation.search-type"),
        (f"{BASE}/Group?name=x", {**PATIENT, "id": "1"}, "include", None),
        (f"{BASE}?_type=Group,Patient", {**PATIENT, "id": "1"}, "match", None),
        (f"{BASE}?_type=Group", {**PATIENT, "id": "1"}, "match", "validation.search-type"),
        (f"{BASE}/anything", {**PATIENT, "id": "1"}, "match", None),
        (f"{BASE}/Patient", {**PATIENT, "id": "1"}, "outcome", "validation.search-outcome"),
        (f"{BASE}/Patient", OUTCOME, "outcome", None),
        (f"{BASE}/Patient", PATIENT, None, None),
    ],
)
def test_an_entry_of_search_results_suits_its_mode(check, url, resource, mode, fault):
    search = {} if mode is None else {"search": {"mode": mode}}
    found = check(result(entry(URN, resource, **search), url=url))
    assert keys(found) == ({(fault, "Bundle.entry[0].resource")} if fault else set())


def test_an_entry_of_search_results_has_a_resource(check):
    found = check(result({"fullUrl": URN, "search": {"mode": "match"}}))
    assert ("validation.search-no-resource", "Bundle.entry[0]") in keys(found)


def test_search_results_without_a_self_link_get_a_warning(check):
    assert check(bundle(entry(URN, {**PATIENT, "id": "1"}), type_="searchset")) == {
        ("warning", "validation.search-no-self", "Bundle")
    }


def composition(**more: object):
    return {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"text": "x"},
        "date": "2024-01-01",
        "author": [{"display": "x"}],
        "title": "x",
        **more,
    }


def document(*entries: object, **more: object):
    about = {"identifier": {"system": "urn:s", "value": "1"}, "timestamp": "2024-01-01T00:00:00Z"}
    return bundle(*entries, type_="document", **about, **more)


AT_COMPOSITION = "Bundle.entry[0].resource"


def test_what_a_composition_refers_to_comes_along(check):
    first = entry(URN, composition(subject={"reference": OTHER}))
    assert keys(check(document(first, entry(OTHER, PATIENT)))) == set()
    assert keys(check(document(first))) == {("validation.document-reference", f"{AT_COMPOSITION}.subject")}


def test_so_does_what_its_sections_attesters_and_events_refer_to(check):
    lost = {"reference": OTHER}
    content = {
        "attester": [{"mode": "legal", "party": lost}],
        "event": [{"detail": [lost]}],
        "section": [{"title": "x", "section": [{"title": "y", "entry": [lost], "focus": lost}]}],
    }
    assert keys(check(document(entry(URN, composition(**content))))) == {
        ("validation.document-reference", f"{AT_COMPOSITION}.{place}")
        for place in (
            "attester[0].party",
            "event[0].detail[0]",
            "section[0].section[0].entry[0]",
            "section[0].section[0].focus",
        )
    }


def test_a_definition_need_not_come_along(check):
    section = {"title": "x", "entry": [{"reference": f"{BASE}/Questionnaire/1"}]}
    assert keys(check(document(entry(URN, composition(section=[section]))))) == set()


def test_an_entry_of_a_document_that_nothing_refers_to_is_an_error(check):
    found = check(document(entry(URN, composition()), entry(OTHER, PATIENT)))
    assert keys(found) == {("validation.entry-unreachable", "Bundle.entry[1]")}


def test_an_entry_that_only_refers_to_the_document_gets_a_warning(check):
    back = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": URN}}
    found = check(document(entry(URN, composition()), entry(OTHER, back)))
    assert found == {("warning", "validation.entry-backward", "Bundle.entry[1]")}


def test_a_stylesheet_belongs_to_a_document(check):
    style = {"resourceType": "Binary", "id": "s", "contentType": "text/css"}
    link = [{"relation": "stylesheet", "url": "Binary/s"}]
    first = entry(URN, composition())
    assert keys(check(document(first, entry(f"{BASE}/Binary/s", style), link=link))) == set()


def test_an_entry_of_a_message_that_nothing_refers_to_gets_a_warning(check):
    header = {"resourceType": "MessageHeader", "eventUri": "urn:e", "source": {"endpoint": "urn:s"}}
    found = check(bundle(entry(URN, header), entry(OTHER, PATIENT), type_="message"))
    assert found == {("warning", "validation.entry-unreachable", "Bundle.entry[1]")}


def test_a_relative_reference_is_resolved_by_the_base_of_its_entry_alone(check):
    first = entry(f"{BASE}/Composition/c", composition(subject={"reference": "Patient/1"}))
    patient = {**PATIENT, "id": "1"}
    assert keys(check(document(first, entry(f"{BASE}/Patient/1", patient)))) == set()
    found = check(document(first, entry("https://other/Patient/1", patient)))
    assert keys(found) == {
        ("validation.reference-apparent", f"{AT_COMPOSITION}.subject"),
        ("validation.entry-unreachable", "Bundle.entry[1]"),
    }


def test_the_fragment_of_a_narrative_link_names_one_element(check):
    link = "http://hl7.org/fhir/StructureDefinition/narrativeLink"
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p id="a">x</p><p id="b">x</p><p id="b">y</p></div>'
    text = {"status": "generated", "div": div}

    def linked(name):
        extension = [{"url": link, "valueUrl": f"{URN}#{name}"}]
        first = entry(URN, composition(text=text, subject={"reference": OTHER}))
        return document(first, entry(OTHER, {**PATIENT, "extension": extension}))

    place = "Bundle.entry[1].resource.extension[0].value.ofType(url)"
    fault = {("validation.link-fragment", place)}
    assert ("validation.link-fragment", place) not in keys(check(linked("a")))
    assert fault <= keys(check(linked("z")))
    assert fault <= keys(check(linked("b")))


def test_a_reference_to_a_url_that_stands_twice_is_ambiguous(check):
    member = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": URN}}
    versions = [entry(URN, {**PATIENT, "meta": {"versionId": v}}) for v in "12"]
    found = check(bundle(entry(OTHER, member), *versions))
    assert keys(found) == {("validation.reference-ambiguous", "Bundle.entry[0].resource.subject")}


def test_a_reference_to_a_version_names_one_of_several(check):
    member = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": f"{BASE}/Patient/1/_history/2"}}
    versions = [entry(f"{BASE}/Patient/1", {**PATIENT, "id": "1", "meta": {"versionId": v}}) for v in "12"]
    assert keys(check(bundle(entry(OTHER, member), *versions))) == set()


@pytest.mark.parametrize(
    ("reference", "type_", "faults"),
    [
        ("Patient/1", "collection", set()),
        ("Patient/1/_history/2", "collection", set()),
        ("1", "collection", {"validation.reference-form"}),
        ("Patient?identifier=1", "collection", {"validation.reference-form"}),
        ("Patient?identifier=1", "transaction", set()),
        ("Patiens?identifier=1", "transaction", {"validation.reference-form"}),
    ],
)
def test_a_relative_reference_in_a_bundle_is_a_type_and_an_id(check, reference, type_, faults):
    basic = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": reference}}
    request = {"request": {"method": "POST", "url": "Basic"}} if type_ == "transaction" else {}
    found = check(bundle(entry(URN, basic, **request), type_=type_))
    assert keys(found) == {(key, "Bundle.entry[0].resource.subject.reference") for key in faults}


def test_a_relative_reference_needs_a_full_url_under_a_strict_policy(check):
    basic = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": "Patient/1"}}
    posted = bundle({"resource": basic, "request": {"method": "POST", "url": "Basic"}}, type_="transaction")
    assert keys(check(posted)) == set()
    assert keys(check(posted, policy=STRICT)) == {("validation.reference-no-base", "Bundle.entry[0].resource.subject")}
