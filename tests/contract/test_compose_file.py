"""docker-compose.yml, Dockerfile and Caddyfile as data: what they set and start exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from django.urls import resolve

from tests.contract.documents import ROOT, code, read, rows
from vlsite.cluster.cluster import CADDYFILE, STOP_S, Installation

COMPOSE: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
DOCKERFILE = read("Dockerfile")
SETTINGS = {code(row[0])[0] for row in rows(read("docs/settings.md"))}
IMAGE_SETS = re.findall(r"(\w+)=", "".join(re.findall(r"^ENV (.*)$", DOCKERFILE, re.M)))
OF_THE_LIBRARIES = {"HF_HOME", "PATH", "PYTHONUNBUFFERED", "MODELSCOPE_CACHE"}
PROXY_READS = set(re.findall(r"\{\$(\w+)", CADDYFILE.read_text(encoding="utf-8")))
PREPARATION = "prepare"


def environment(*names: str) -> dict[str, str]:
    """Give every variable that any of these services sets."""
    found: dict[str, str] = {}
    for name in names:
        found |= SERVICES[name].get("environment", {})
    return found


def manage_commands(service: str) -> list[str]:
    """List the management commands that a service runs; the image's own, where it names none."""
    command = SERVICES[service].get("command")
    text = DOCKERFILE if command is None else " ".join(command)
    return re.findall(r"manage\.py (\w+)", text)


@pytest.mark.parametrize("name", environment(*OURS))
def test_a_variable_of_the_compose_file_is_a_setting(name: str) -> None:
    assert name.removesuffix("_FILE") in SETTINGS | OF_THE_LIBRARIES


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_a_variable_of_the_image_is_a_setting(name: str) -> None:
    assert name in SETTINGS | OF_THE_LIBRARIES


def test_the_proxy_is_given_what_its_file_reads() -> None:
    given = set(environment("proxy"))

    assert given <= PROXY_READS
    assert PROXY_READS - given == {"VL_PROXY_BIND"}  # it has a default


@pytest.mark.parametrize("command", re.findall(r"manage\.py (\w+)", DOCKERFILE))
def test_a_command_of_the_image_exists(command: str) -> None:
    assert command in get_commands()


def test_containers_and_run_multi_start_the_same_commands(tmp_path: Path) -> None:
    installation = Installation(folder=tmp_path, environment={})
    started = {" ".join(installation.serve), " ".join(installation.work)}

    containers = {name: manage_commands(name) for name in OURS if name not in ("chat", PREPARATION)}

    assert sorted({command for each in containers.values() for command in each}) == sorted(
        line.rpartition("manage.py ")[2] for line in started
    )
    prepared = " ".join(installation.prepare).partition("manage.py ")[2]
    assert manage_commands(PREPARATION) == [prepared.split()[0]]


def test_every_web_process_stands_behind_the_proxy() -> None:
    upstreams = environment("proxy")["VL_PROXY_UPSTREAMS"].split()

    assert upstreams == [f"{name}:8000" for name in SERVICES if name.startswith("web-")]


@pytest.mark.parametrize(
    "path",
    re.findall(r"health_uri (\S+)", CADDYFILE.read_text(encoding="utf-8"))
    + re.findall(r"127\.0\.0\.1:8000(/\w+)'\)", DOCKERFILE),
)
def test_a_path_of_a_health_check_exists(path: str) -> None:
    assert resolve(path).func.__name__ == path.strip("/")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_whether_it_is_well(name: str) -> None:
    assert "healthcheck" in SERVICES[name] or name in OURS
    assert "HEALTHCHECK" in DOCKERFILE


@pytest.mark.parametrize(
    "image",
    [service["image"] for service in SERVICES.values() if "build" not in service]
    + re.findall(r"^FROM (\S+)", DOCKERFILE, re.M),
)
def test_an_image_is_pinned_to_a_release(image: str) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?-", image)


@pytest.mark.parametrize("path", re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.M))
def test_what_the_image_copies_exists(path: str) -> None:
    assert [name for name in path.split() if not (ROOT / name).exists()] == []


def test_what_the_image_copies_is_not_ignored() -> None:
    ignored = read(".dockerignore").split()
    copied = " ".join(re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.M)).split()

    assert set(copied) & set(ignored) == set()


def test_data_lives_in_named_volumes() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    kept = {mount.partition(":")[0] for mount in mounts if not mount.startswith("./")}
    files = [mount.split(":") for mount in mounts if mount.startswith("./")]

    assert kept <= set(COMPOSE["volumes"])
    assert all((ROOT / path).is_file() and mode == "ro" for path, _, mode in files)
    assert "VL_DATA_DIR=/data" in DOCKERFILE


def test_nothing_of_ours_runs_as_root() -> None:
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.M)
    assert [name for name in OURS if "user" in SERVICES[name]] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["mem_limit"]
    assert service["pids_limit"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "proxy"])
def test_a_service_is_reached_from_this_machine_alone(name: str) -> None:
    ports = SERVICES[name].get("ports", [])

    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_store_is_reached_from_the_inner_network_alone(name: str) -> None:
    assert SERVICES[name]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_a_secret_is_a_file_that_make_secrets_makes(tmp_path: Path) -> None:
    script = tmp_path / "vlsite" / "deploy" / "make_secrets.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "vlsite/deploy/make_secrets.sh", script)
    files = [tmp_path / secret["file"] for secret in COMPOSE["secrets"].values()]

    subprocess.run([script], check=True)
    made = [file.read_text() for file in files]
    subprocess.run([script], check=True)

    assert [file.read_text() for file in files] == made
    assert all(len(text) >= 50 for text in made)
    assert (tmp_path / "data/secrets/database_password").read_text() in made[-1]
    assert (tmp_path / "data/secrets").stat().st_mode & 0o077 == 0


def test_what_is_secret_is_given_as_a_file() -> None:
    secret = ("VL_SECRET_KEY", "DATABASE_URL", "POSTGRES_PASSWORD", "DJANGO_SUPERUSER_PASSWORD")

    assert [name for name in environment(*SERVICES) if name in secret] == []


@pytest.mark.parametrize("name", [name for name in OURS if name != PREPARATION])
def test_a_process_has_time_to_give_back_what_it_does(name: str) -> None:
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > STOP_S


@pytest.mark.parametrize(
    "site", ["https://chat.example.org", "http://127.0.0.1:8000"], ids=["public", "local"]
)
def test_caddy_accepts_the_caddyfile(site: str, tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    assert caddy is not None, "apt-get install caddy"

    done = subprocess.run(
        [caddy, "validate", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
        env={**environment("proxy"), "VL_PROXY_SITE": site, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr
