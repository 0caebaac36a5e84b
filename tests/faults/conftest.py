"""What the fault suite's tests share: one server with scripted answers, and who asks it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.client import Account
from tests.server.people import Person
from tests.server.processes import Product

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVE = (sys.executable, "-m", "tests.faults.scripted", "serve")


def account_of(person: Person) -> Account:
    """Give what a signed-in person's sockets need."""
    cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
    return Account(person.url, cookies)


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Serve from one process, as `make run` does."""
    product = Product(tmp_path_factory.mktemp("single"), {"VL_SLOTS": "8"})
    for command in ("migrate", "collectstatic"):
        done = product.run(command, "--noinput", "--verbosity", "0")
        assert done.returncode == 0, done.stderr
    product.start(command=SERVE)
    yield product
    product.close()
