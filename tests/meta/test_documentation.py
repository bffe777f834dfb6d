"""Documentation is checked like code: settings, commands, rooms."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from fhir_server.cli import app
from fhir_server.settings import Settings

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(get_command(app).commands)


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda f: f.name)
def test_every_setting_is_documented_with_its_default(setting):
    row = f"| `FHIR_{setting.name.upper()}` | `{setting.default or '(empty)'}` | {setting.metadata['sentence']} |"
    assert row in (ROOT / "docs" / "settings.md").read_text("utf-8")


def test_the_commands_are_the_promised_ones():
    assert COMMANDS == ["doctor", "fhirpath", "generate", "load", "map", "serve", "validate"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0
    assert f"Example: fhir-server {name}" in re.sub(r"\s+", " ", shown.output.replace("`", ""))


def test_every_room_of_the_readme_exists():
    table = (ROOT / "README.md").read_text("utf-8").partition("## The rooms")[2]
    paths = re.findall(r"`([a-z_]+/[^`<]*)`", table)
    assert len(paths) > 15
    assert [p for p in paths if not (ROOT / p).exists()] == []
