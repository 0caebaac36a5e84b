"""Steps of an installation are done once, whole or not at all, and failures are said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from inference.bench.peers.install import Install, PeerMissingError, name_checkpoint
from tests.inference.bench.conftest import OfflineInstall


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Return an installation into an empty folder."""
    return Install(tmp_path, lambda _: None)


def test_what_is_there_is_not_made_again(install: Install, tmp_path: Path) -> None:
    written: list[Path] = []

    def write(path: Path) -> None:
        written.append(path)
        path.touch()

    for _ in range(2):
        install.make(tmp_path / "done", "making", write)

    assert len(written) == 1


def test_step_that_is_broken_off_leaves_nothing_that_looks_whole(
    install: Install, tmp_path: Path
) -> None:
    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "half").touch()
        raise PeerMissingError("the disk is full")

    for _ in range(2):
        with pytest.raises(PeerMissingError):
            install.make(tmp_path / "done", "making", write)

    assert not (tmp_path / "done").exists()
    assert install.make(tmp_path / "done", "making", Path.mkdir).is_dir()


def test_command_that_fails_is_said_with_the_end_of_its_output(install: Install) -> None:
    with pytest.raises(PeerMissingError, match="no such package"):
        install.run([sys.executable, "-c", "raise SystemExit('no such package')"])


def test_program_that_is_not_there_is_said(install: Install) -> None:
    with pytest.raises(PeerMissingError, match="cmake-of-nobody"):
        install.run(["cmake-of-nobody"])


def test_environment_without_its_packages_does_not_count_as_installed(tmp_path: Path) -> None:
    install = OfflineInstall(tmp_path, lambda _: None)

    with pytest.raises(PeerMissingError, match="no network"):
        install.make_environment("peer", ["a-package"])

    assert not list(tmp_path.glob("*.installed"))


def test_conversions_of_another_checkpoint_have_another_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = name_checkpoint(tmp_path)

    (tmp_path / "model.safetensors").write_bytes(b"1")

    assert name_checkpoint(tmp_path) != before
    assert name_checkpoint(tmp_path) == name_checkpoint(tmp_path)
