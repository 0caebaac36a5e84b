"""docker-compose.yml and Dockerfile as data: what they set exists, what they start exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from tests.contract.documents import ROOT, code, read, rows

COMPOSE: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
DOCKERFILE = read("Dockerfile")
SETTINGS = {code(row[0])[0] for row in rows(read("docs/settings.md"))}
IMAGE_SETS = re.findall(r"(\w+)=", "".join(re.findall(r"^ENV (.*)$", DOCKERFILE, re.M)))
OF_THE_LIBRARIES = {"HF_HOME", "PATH", "PYTHONUNBUFFERED", "MODELSCOPE_CACHE"}


def environment() -> dict[str, str]:
    """Give every variable that any service sets."""
    found: dict[str, str] = {}
    for service in COMPOSE["services"].values():
        found |= service.get("environment", {})
    return found


@pytest.mark.parametrize("name", environment())
def test_a_variable_of_the_compose_file_is_a_setting(name: str) -> None:
    assert name.removesuffix("_FILE") in SETTINGS | OF_THE_LIBRARIES


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_a_variable_of_the_image_is_a_setting(name: str) -> None:
    assert name in SETTINGS | OF_THE_LIBRARIES


@pytest.mark.parametrize("command", re.findall(r"manage\.py (\w+)", DOCKERFILE))
def test_a_command_of_the_image_exists(command: str) -> None:
    assert command in get_commands()


@pytest.mark.parametrize("path", re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.M))
def test_what_the_image_copies_exists(path: str) -> None:
    assert [name for name in path.split() if not (ROOT / name).exists()] == []


def test_what_the_image_copies_is_not_ignored() -> None:
    ignored = read(".dockerignore").split()
    copied = " ".join(re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.M)).split()

    assert set(copied) & set(ignored) == set()


def test_data_lives_in_a_named_volume() -> None:
    mounts = [mount for service in COMPOSE["services"].values() for mount in service["volumes"]]

    assert {mount.partition(":")[0] for mount in mounts} <= set(COMPOSE["volumes"])
    assert "VL_DATA_DIR=/data" in DOCKERFILE


def test_nothing_runs_as_root() -> None:
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.M)


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_cannot_gain_rights_and_is_reached_from_this_machine_alone(name: str) -> None:
    service = COMPOSE["services"][name]

    assert "no-new-privileges:true" in service["security_opt"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_an_answer_has_time_to_be_given_back() -> None:
    """`LocalRunner.close` takes up to 20 s."""
    assert int(COMPOSE["services"]["chat"]["stop_grace_period"].removesuffix("s")) > 20
