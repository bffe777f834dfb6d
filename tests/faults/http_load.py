"""Writes over HTTP from many connections until the server is gone, and notes what it has acknowledged."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

MEMBERS = 10
"""Resources of one transaction."""


def patient(id_: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, "gender": "female", "name": [{"text": f"测试{id_}"}]}


def transaction(unit: str) -> dict[str, Any]:
    """Stores the members of a unit; each refers to the first one."""
    first = f"{unit}-0"
    entries = [
        {
            "resource": {**patient(id_), "link": [{"other": {"reference": f"Patient/{first}"}, "type": "seealso"}]},
            "request": {"method": "PUT", "url": f"Patient/{id_}"},
        }
        for id_ in members(unit)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def members(unit: str) -> list[str]:
    return [f"{unit}-{number}" for number in range(MEMBERS)]


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, body: Any = None
) -> tuple[int, bytes]:
    """Sends one request and reads the whole answer.

    Raises:
        ConnectionError, asyncio.IncompleteReadError: the server is gone.
    """
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nPrefer: return=minimal\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content)
    answered = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(answered.split()[1]), await reader.readexactly(length)


async def lane(port: int, name: str, acknowledged: list[str], *, in_units: bool) -> None:
    """Writes one thing after the other; only what was answered whole counts as acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number in range(1_000_000):
            id_ = f"{name}-{number}"
            if in_units:
                status, _ = await ask(reader, writer, "POST", "/fhir", transaction(id_))
            else:
                status, _ = await ask(reader, writer, "PUT", f"/fhir/Patient/{id_}", patient(id_))
            assert status in (200, 201)
            acknowledged.extend(members(id_) if in_units else [id_])
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.transport.abort()


async def load(port: int, name: str, lanes: Iterable[bool]) -> list[str]:
    """Runs lanes, each with single writes or (True) with transactions, until the server is gone; returns the ids."""
    acknowledged: list[str] = []
    await asyncio.gather(
        *(lane(port, f"{name}{n}", acknowledged, in_units=in_units) for n, in_units in enumerate(lanes))
    )
    return acknowledged
