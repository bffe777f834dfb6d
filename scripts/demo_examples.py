"""Waits for the demonstration server and prints five addresses that work; with `yes` fetches them as well."""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

READY_WITHIN_S = 30


def fetch(url: str) -> dict[str, Any]:
    """Returns the JSON at an address."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback only
        return json.load(answer)


def wait_for(url: str, server: int) -> None:
    """Returns when the server is ready; ends the program when it died or took too long."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        try:
            fetch(url)
        except (urllib.error.URLError, ConnectionError):
            try:
                os.kill(server, 0)
            except ProcessLookupError:
                sys.exit("The server ended before it was ready; is the port in use? Set FHIR_DEMO_PORT.")
            time.sleep(0.1)
        else:
            return
    sys.exit(f"The server was not ready within {READY_WITHIN_S} s.")


def examples(fhir: str) -> list[tuple[str, str]]:
    """Returns five (what it shows, address) pairs, with ids that are in the store."""
    referrals = fetch(f"{fhir}/Observation?code=85354-9&_count=1&_sort=-date")
    patient = referrals["entry"][0]["resource"]["subject"]["reference"]
    asks = [
        ("what the server can do", "metadata"),
        ("residents whose name starts with 王", "Patient?name=" + urllib.parse.quote("王")),
        (
            "one resident's blood pressure, newest first",
            f"Observation?patient={patient.partition('/')[2]}&code=85354-9&_sort=-date",
        ),
        (
            "contracts in force, with their residents",
            "EpisodeOfCare?status=active&_include=EpisodeOfCare:patient&_count=5",
        ),
        ("referrals up to the hospital", "ServiceRequest?category=up-referral&_include=ServiceRequest:subject"),
    ]
    return [(what, f"{fhir}/{path}") for what, path in asks]


def is_empty(answer: dict[str, Any]) -> bool:
    """Tells whether a searchset has no entries."""
    return answer["resourceType"] == "Bundle" and not answer.get("entry")


def main(fhir: str, server: str, check: str) -> None:
    """Prints the examples; in check mode an unreadable or empty one ends the program with exit code 1."""
    wait_for(fhir.removesuffix("/fhir") + "/readyz", int(server))
    print("== 4. Five things to try")
    for what, url in examples(fhir):
        print(f"  {what}\n    curl '{url}'")
        if check == "yes":
            answer = fetch(url)
            if is_empty(answer):
                sys.exit(f"    found nothing: {url}")
            found = len(answer.get("entry", answer.get("rest", [])))
            print(f"    ok: {answer['resourceType']}, {found} entries")


if __name__ == "__main__":
    main(*sys.argv[1:])
