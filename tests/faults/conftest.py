"""What the fault suite's tests share: one server, one installation with many instances."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.site import SCRIPTED, Site, running_site
from tests.server.processes import Product, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVE = (*SCRIPTED, "serve")


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Serve from one process, as `make run` does."""
    environment = {"VL_SLOTS": "8", "VL_SOCKET_STALL_S": "2"}
    product = Product(prepare(tmp_path_factory.mktemp("single")), environment)
    product.start(command=SERVE)
    yield product
    product.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Run two web processes and two workers; who ends one, starts it again."""
    # PostgreSQL's user has to reach it, and pytest's own folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="vl-site-"))
    folder.chmod(0o755)
    with running_site(folder) as site:
        yield site
    shutil.rmtree(folder)
