"""requirements.lock: every package of an installation with its hashes. `make hashes` mends it."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires

import pytest

from tests.contract.documents import read

# Their CPU builds come from an index of their own, with other hashes for each.
WITHOUT_HASHES = {"torch", "torchvision"}
LOCK = read("requirements.lock")
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """Give the version of each pinned package."""
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}


LOCKED = pins(LOCK)
PINNED = pins(read("constraints.txt"))


@pytest.mark.parametrize("entry", re.split(r"\n(?=\S)", LOCK.split("\n", 1)[1].strip()))
def test_an_entry_has_a_version_and_hashes(entry: str) -> None:
    assert re.fullmatch(r"\S+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+", entry)


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_what_we_need_is_locked(requirement: str) -> None:
    name = normal(re.split(r"[\[<>=; ]", requirement)[0])

    assert name in LOCKED or name in WITHOUT_HASHES


@pytest.mark.parametrize("name", LOCKED)
def test_the_lock_and_the_constraints_name_the_same_version(name: str) -> None:
    assert LOCKED[name] == PINNED[name]


@pytest.mark.parametrize("name", LOCKED)
def test_what_a_locked_package_needs_is_locked_too(name: str) -> None:
    needed = [line for line in requires(name) or [] if ";" not in line]
    names = {normal(re.split(r"[\[<>=!~ (]", line)[0]) for line in needed}

    assert names - WITHOUT_HASHES <= set(LOCKED)


def test_the_image_installs_nothing_without_a_hash_but_torch() -> None:
    dockerfile = read("Dockerfile")

    assert "COPY pyproject.toml setup.py constraints.txt requirements.lock" in dockerfile
    assert "--require-hashes --requirement requirements.lock" in dockerfile
