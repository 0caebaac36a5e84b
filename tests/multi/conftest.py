"""Redis, PostgreSQL and an installation over both, started once."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.multi.installation import METRICS_TOKEN, Installation, NewInstallation
from tests.multi.postgres import Postgres
from tests.redis.conftest import redis_server
from tests.server.people import Person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.redis.server import RedisServer
    from tests.server.people import Socket
    from tests.server.processes import Product

__all__ = ["redis_server"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start one cluster for all; who stops it, starts it again."""
    # Its user has to reach it, and pytest closes its own folders to others, again and again.
    folder = Path(tempfile.mkdtemp(prefix="vl-postgres-"))
    folder.chmod(0o755)
    cluster = Postgres(folder)
    cluster.start()
    yield cluster
    cluster.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def prepared(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Make static files, and tables to copy; nobody works on these."""
    folder, url = tmp_path_factory.mktemp("multi"), postgres.new_url()
    Installation(folder, "", url).prepare()
    return folder, url


@pytest.fixture(scope="session")
def new_installation(
    prepared: tuple[Path, str], postgres: Postgres, redis_server: RedisServer
) -> NewInstallation:
    """Have databases and Redis databases of their own, in which scripted workers answer."""
    folder, url = prepared

    @contextmanager
    def make(**environment: str) -> Iterator[Installation]:
        own = Installation(folder, redis_server.new_url(), postgres.new_url(like=url), environment)
        try:
            yield own
        finally:
            own.close()

    return make


@pytest.fixture(scope="session")
def installation(new_installation: NewInstallation) -> Iterator[Installation]:
    """Share one."""
    with new_installation(VL_METRICS_TOKEN=METRICS_TOKEN) as shared:
        yield shared


@pytest.fixture
def demo_installation(
    prepared: tuple[Path, str], postgres: Postgres, redis_server: RedisServer
) -> Iterator[Installation]:
    """Have the bundled demo model answer, with nothing in the hub's place."""
    folder, url = prepared
    answering = {"VL_BACKEND": "engine", "VL_SLOTS": "1", "VL_THREADS": "1"}
    own = Installation(
        folder,
        redis_server.new_url(),
        postgres.new_url(like=url),
        answering | {"HF_HOME": str(folder / "empty-hub")},
    )
    yield own
    own.close()


@pytest.fixture(scope="session")
def web(installation: Installation) -> Product:
    """Serve, on the first instance."""
    return installation.start_web()


@pytest.fixture
def workers(installation: Installation) -> tuple[Product, Product]:
    """Have two workers alive, whatever happened to earlier ones."""
    while len(alive := installation.living_workers()) < 2:
        installation.start_worker()
    first, second = alive
    return first, second


@pytest.fixture(scope="session")
def alice_at_home(web: Product) -> Person:
    """Have an account."""
    return Person(web.url).sign_up("alice")


@pytest.fixture
def alice(alice_at_home: Person) -> Iterator[Socket]:
    """Be connected to the first instance."""
    with alice_at_home.connect() as socket:
        yield socket


@pytest.fixture(scope="session")
def elsewhere(installation: Installation, alice_at_home: Person) -> Person:
    """Have alice signed in on a second instance."""
    return Person(installation.start_web().url).sign_in(alice_at_home.name)
