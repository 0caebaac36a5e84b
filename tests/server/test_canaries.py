"""Secrets that are known by sight: none shows in a log, a page or an error, whatever fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from tests.server.people import TIMEOUT_S, Person
from tests.server.processes import ADMINISTRATOR, Product, free_port

if TYPE_CHECKING:
    from tests.server.conftest import MakeProduct

CANARY = "kanarienvogel"
SECRET_KEY = f"{CANARY}-key-" + "k" * 40
TOKEN = f"{CANARY}-metrics-token"
BUCKET = {
    "VL_MEDIA_S3_BUCKET": "pictures",
    "AWS_ACCESS_KEY_ID": f"{CANARY}-access",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-s3",
}
# Whoever asks, also what does not exist, is not allowed or breaks.
PATHS = (
    "/", "/healthz", "/readyz", "/metrics", "/nowhere", "/api/info/", "/api/nowhere", "/admin/",
    "/admin/server/", "/accounts/login/", "/accounts/password/reset/", "/static/nowhere",
    "/api/conversations/?page=x", "/c/0b5c9d16-0000-4000-8000-000000000000/",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """Everything that an installation let out."""

    answers: str
    log: str

    def check(self) -> None:
        """Look for the birds."""
        assert CANARY not in self.answers
        assert CANARY not in self.log


def all_answers(product: Product, *clients: requests.Session) -> str:
    """Ask for everything, and give heads and bodies.

    All at once: without its database a page takes ten seconds to say so.
    """

    def ask(client: requests.Session, path: str) -> str:
        response = client.get(product.url + path, timeout=TIMEOUT_S)
        return f"{response.headers} {response.text}"

    pairs = [(client, path) for client in clients for path in PATHS]
    with ThreadPoolExecutor(len(pairs)) as threads:
        return "\n".join(threads.map(ask, *zip(*pairs, strict=True)))


def a_wrong_client() -> requests.Session:
    """Have a wrong token and a wrong cookie, which are refused."""
    client = requests.Session()
    client.headers["Authorization"] = "Bearer wrong"
    client.cookies.set("sessionid", "wrong")
    return client


def test_pages_and_log_of_a_server_that_works_hold_none(own_product: MakeProduct) -> None:
    product = own_product(
        VL_SECRET_KEY=SECRET_KEY, VL_METRICS_TOKEN=TOKEN, VL_LOG_LEVEL="debug", **BUCKET
    )
    product.start()
    prometheus = requests.Session()
    prometheus.headers["Authorization"] = f"Bearer {TOKEN}"
    administrator = Person(product.url).sign_in(ADMINISTRATOR)
    # The bucket is not there, so this fails on the way to it.
    upload = administrator.post("/api/images/", files={"file": ("p.png", b"\x89PNG", "image/png")})

    answers = all_answers(
        product, requests.Session(), a_wrong_client(), prometheus, administrator.http
    )
    product.end()

    assert "vl_sockets" in answers
    Said(answers + upload.text, str(product.log)).check()


@pytest.mark.parametrize(
    "store",
    [
        pytest.param(
            {"DATABASE_URL": "postgres://vl:" + CANARY + "@127.0.0.1:{port}/vl"}, id="PostgreSQL"
        ),
        pytest.param({"REDIS_URL": "redis://:" + CANARY + "@127.0.0.1:{port}/0"}, id="Redis"),
    ],
)
def test_a_store_that_is_not_reached_gives_none_away(
    own_product: MakeProduct, store: dict[str, str]
) -> None:
    port = str(free_port())
    environment = {name: value.replace("{port}", port) for name, value in store.items()}
    product = own_product(VL_SECRET_KEY=SECRET_KEY, VL_LOG_LEVEL="debug", **environment)
    product.start(until="")

    answers = all_answers(product, requests.Session(), a_wrong_client())
    form = {"login": "alice", "password": f"{CANARY}-typed"}
    answers += requests.post(f"{product.url}/accounts/login/", form, timeout=TIMEOUT_S).text
    product.end()

    assert '"ready": false' in answers
    Said(answers, str(product.log)).check()


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"DATABASE_URL": f"nosuch://vl:{CANARY}@127.0.0.1/vl"}, id="database"),
        pytest.param({"DATABASE_URL": f"postgres://vl:{CANARY}@127.0.0.1:x/vl"}, id="port"),
        pytest.param({"VL_SECRET_KEY": CANARY}, id="a short key"),
        pytest.param({"VL_METRICS_TOKEN": "kanarienvogel"}, id="a short token"),
    ],
)
def test_a_refusal_to_start_does_not_repeat_the_secret(
    own_product: MakeProduct, environment: dict[str, str]
) -> None:
    done = own_product(**environment).run("serve")

    assert done.returncode != 0
    assert CANARY not in done.stdout + done.stderr
