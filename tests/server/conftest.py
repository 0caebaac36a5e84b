"""Installations to test against: prepared once, and a copy for whoever breaks things."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.people import Person
from tests.server.processes import ROOT, WITH_ADMINISTRATOR, Product, prepare

MakeProduct = Callable[..., Product]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a data folder with an administrator."""
    data = prepare(tmp_path_factory.mktemp("prepared"))
    assert Product(data, WITH_ADMINISTRATOR).run("ensure_administrator").returncode == 0
    return data


@pytest.fixture(scope="session")
def product(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Serve scripted answers to all tests that break nothing."""
    shared = Product(_copy(prepared, tmp_path_factory.mktemp("shared")))
    shared.start()
    yield shared
    shared.close()
    shared.log.check_no_traceback()


@pytest.fixture(autouse=True)
def _without_traceback(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test leave a traceback in the shared installation's log; name the one that does."""
    if "product" not in request.fixturenames:
        yield
        return
    log = request.getfixturevalue("product").log
    earlier = log.count_tracebacks()
    yield
    log.check_no_traceback(after=earlier)


@pytest.fixture
def own_product(prepared: Path, tmp_path: Path) -> Iterator[MakeProduct]:
    """Make installations for one test, not yet started."""
    made: list[Product] = []

    def make(**environment: str) -> Product:
        folder = tmp_path / f"data-{len(made)}"
        folder.mkdir()
        made.append(Product(_copy(prepared, folder), environment))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def demo(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Serve the bundled demo model, as nothing set and no network do."""
    assert list((ROOT / "inference/demo/weights").glob("*.safetensors")), "no demo weights"
    serving = Product(
        _copy(prepared, tmp_path_factory.mktemp("demo")),
        {"VL_BACKEND": "transformers", "HF_HOME": str(tmp_path_factory.mktemp("empty-hub"))},
    )
    serving.start()
    yield serving
    serving.close()


@pytest.fixture
def alice(product: Product) -> Person:
    """Have an account of her own on the shared installation."""
    return Person(product.url).sign_up("alice")


@pytest.fixture
def bob(product: Product) -> Person:
    """Have an account too."""
    return Person(product.url).sign_up("bob")


def _copy(prepared: Path, folder: Path) -> Path:
    return shutil.copytree(prepared, folder, dirs_exist_ok=True)
