"""The settings under another environment, each loaded by a process of its own."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[2]
# Without Django's set-up: only the module, so that a process takes a blink.
PROGRAM = """
import json, sys
from vlsite import settings
print(json.dumps({name: getattr(settings, name, None) for name in sys.argv[1:]}, default=str))
"""


def load(data: Path, *names: str, **environment: str) -> dict[str, Any]:
    """Load the settings with this environment alone, and give those named."""
    done = _run(data, PROGRAM, *names, **environment)
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def refuse(data: Path, **environment: str) -> str:
    """Load settings that are refused; give the last line of the error."""
    done = _run(data, PROGRAM, **environment)
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1]


def _run(
    data: Path, program: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"PATH": os.environ["PATH"], "VL_DATA_DIR": str(data), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_bucket_takes_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file")
    where = {
        "VL_MEDIA_S3_BUCKET": "pictures",
        "VL_MEDIA_S3_ENDPOINT": "https://s3.example.org",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY_FILE": str(tmp_path / "key"),
    }

    unset = load(tmp_path, "STORAGES")["STORAGES"]["default"]
    loaded = load(tmp_path, "STORAGES", **where)["STORAGES"]["default"]

    assert unset == {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    assert loaded["BACKEND"] == "storages.backends.s3.S3Storage"
    options = loaded["OPTIONS"]
    assert (options["bucket_name"], options["region_name"]) == ("pictures", None)
    assert options["endpoint_url"] == "https://s3.example.org"
    assert (options["access_key"], options["secret_key"]) == ("somebody", "from a file")


def test_nothing_set_is_safe(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, "DEBUG", "VL_HOST", "VL_PORT", "VL_ORIGINS", "ALLOWED_HOSTS", "SECRET_KEY",
        "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE", "X_FRAME_OPTIONS", "REDIS_URL",
    )  # fmt: skip

    assert loaded.pop("SECRET_KEY")
    assert loaded == {
        "DEBUG": False,
        "VL_HOST": "127.0.0.1",
        "VL_PORT": 8000,
        "VL_ORIGINS": ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"],
        "ALLOWED_HOSTS": ["127.0.0.1", "127.0.0.1", "localhost", "[::1]"],
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "X_FRAME_OPTIONS": "DENY",
        "REDIS_URL": "",
    }


def test_an_https_address_makes_everything_secure(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_NAME",
        "CSRF_COOKIE_NAME", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "VL_ORIGINS",
        "CSRF_TRUSTED_ORIGINS", VL_PUBLIC_URL="https://Chat.Example.org:443/",
    )  # fmt: skip

    assert loaded == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_SSL_REDIRECT": True,
        "VL_ORIGINS": ["https://chat.example.org"],
        "CSRF_TRUSTED_ORIGINS": ["https://chat.example.org"],
    }


def test_a_plain_http_address_keeps_cookies_usable(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, "SESSION_COOKIE_SECURE", "SESSION_COOKIE_NAME", "SECURE_SSL_REDIRECT",
        "VL_ORIGINS", VL_PUBLIC_URL="http://chat.lan:8080",
    )  # fmt: skip

    assert loaded == {
        "SESSION_COOKIE_SECURE": False,
        "SESSION_COOKIE_NAME": "sessionid",
        "SECURE_SSL_REDIRECT": None,
        "VL_ORIGINS": ["http://chat.lan:8080"],
    }


def test_the_public_name_and_the_local_ones_are_served(tmp_path: Path) -> None:
    loaded = load(tmp_path, "ALLOWED_HOSTS", VL_PUBLIC_URL="https://chat.example.org")

    assert loaded["ALLOWED_HOSTS"] == ["chat.example.org", "127.0.0.1", "localhost", "[::1]"]


def test_another_port_moves_the_origins(tmp_path: Path) -> None:
    assert load(tmp_path, "VL_ORIGINS", VL_PORT="8123")["VL_ORIGINS"][0] == "http://127.0.0.1:8123"


def test_scripts_come_from_the_site_alone(tmp_path: Path) -> None:
    policy = load(tmp_path, "CONTENT_SECURITY_POLICY")["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]

    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert "ws://127.0.0.1:8000" in policy["connect-src"]


def test_the_secret_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    first = load(tmp_path, "SECRET_KEY")["SECRET_KEY"]
    second = load(tmp_path, "SECRET_KEY")["SECRET_KEY"]

    assert first == second
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_given_secret_key_wins(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")

    loaded = load(tmp_path, "SECRET_KEY", VL_SECRET_KEY_FILE=str(tmp_path / "key"))

    assert loaded["SECRET_KEY"] == "from a file"


def test_redis_carries_channels_and_cache_when_it_is_named(tmp_path: Path) -> None:
    loaded = load(tmp_path, "CHANNEL_LAYERS", "CACHES", REDIS_URL="redis://redis:6379/0")

    assert loaded["CHANNEL_LAYERS"]["default"]["CONFIG"]["hosts"] == ["redis://redis:6379/0"]
    assert loaded["CACHES"]["default"]["LOCATION"] == "redis://redis:6379/0"


def test_another_database_gets_none_of_sqlites_options(tmp_path: Path) -> None:
    database = load(tmp_path, "DATABASES", DATABASE_URL="postgres://u:p@db/vl")["DATABASES"]

    assert database["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert "init_command" not in database["default"].get("OPTIONS", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("VL_PORT", "0", id="port"),
        pytest.param("VL_PUBLIC_URL", "chat.example.org", id="address"),
        pytest.param("VL_SIGNUP", "everybody", id="sign-up"),
        pytest.param("VL_PIXELS", "all", id="pixels"),
        pytest.param("VL_MAX_TOKENS", "many", id="tokens"),
        pytest.param("VL_TEMPERATURE", "3", id="temperature"),
        pytest.param("VL_DEBUG", "perhaps", id="debug"),
        pytest.param("VL_LOG_LEVEL", "loud", id="log level"),
    ],
)
def test_a_wrong_setting_is_named_at_the_start(tmp_path: Path, name: str, value: str) -> None:
    error = refuse(tmp_path, **{name: value})

    assert f"{name} is “{value}” but must be" in error


def test_the_deploy_check_of_django_has_no_complaint(tmp_path: Path) -> None:
    program = (
        "import os, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'vlsite.settings'\n"
        "django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('check', deploy=True, fail_level='WARNING')\n"
    )

    done = _run(tmp_path, program, VL_PUBLIC_URL="https://chat.example.org", VL_BACKEND="scripted")

    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        pytest.param("journal_mode", "wal", id="readers do not wait for the writer"),
        pytest.param("synchronous", 1, id="synchronous is normal"),
        pytest.param("foreign_keys", 1, id="foreign keys are checked"),
        pytest.param("busy_timeout", 20_000, id="a writer waits its turn"),
    ],
)
def test_sqlite_runs_as_configured(pragma: str, value: object) -> None:
    with connection.cursor() as cursor:
        row = cursor.execute(f"PRAGMA {pragma}").fetchone()

    assert row[0] == value


@pytest.mark.django_db(transaction=True)
def test_a_transaction_takes_the_write_lock_at_its_beginning() -> None:
    from django.db import connections, transaction
    from django.db.utils import OperationalError

    other = connections.create_connection("default")
    other.settings_dict = {
        **other.settings_dict,
        "OPTIONS": {**other.settings_dict["OPTIONS"], "timeout": 0},
    }
    try:
        cursor = other.cursor()
        with transaction.atomic(), pytest.raises(OperationalError, match="locked"):
            cursor.execute("BEGIN IMMEDIATE")
    finally:
        other.close()


def test_uploads_are_private() -> None:
    assert settings.FILE_UPLOAD_PERMISSIONS == 0o600
    assert settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS == 0o700
    assert settings.STATIC_ROOT not in settings.MEDIA_ROOT.parents


@pytest.mark.parametrize(
    ("environment", "trusted"),
    [
        pytest.param({}, [], id="nothing set"),
        pytest.param({"VL_PUBLIC_URL": "http://chat.lan"}, [], id="plain HTTP"),
        pytest.param(
            {"VL_PUBLIC_URL": "https://chat.example.org"}, ["127.0.0.0/8", "::1/128"], id="HTTPS"
        ),
        pytest.param({"VL_TRUSTED_PROXIES": "10.0.0.7"}, ["10.0.0.7/32"], id="named"),
    ],
)
def test_proxies_are_trusted_where_one_has_to_be(
    tmp_path: Path, environment: dict[str, str], trusted: list[str]
) -> None:
    program = (
        "import json; from vlsite import settings\n"
        "print(json.dumps([str(each) for each in settings.VL_TRUSTED_PROXIES]))"
    )

    done = _run(tmp_path, program, **environment)

    assert json.loads(done.stdout) == trusted
