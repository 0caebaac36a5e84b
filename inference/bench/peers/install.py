"""Installing a peer: steps that leave a file or folder behind and are not done twice."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.bench.worker import ROOT

LOG_TAIL_CHARACTERS = 300


class PeerMissingError(Exception):
    """A peer cannot be installed here; the text says which step failed and how."""


@dataclass(frozen=True, slots=True)
class Install:
    """Where peers and their conversions are kept, and whom to tell what takes so long."""

    folder: Path
    say: Callable[[str], None]

    def make(self, target: Path, what: str, write: Callable[[Path], None]) -> Path:
        """Return `target`; if it is not there, let `write` make it under another name first.

        A run that was broken off leaves nothing that looks whole.

        Raises:
            PeerMissingError: as `write` does.
        """
        if target.exists():
            return target
        self.say(f"  {what} …")
        unfinished = target.with_name(f"unfinished-{target.name}")
        _remove(unfinished)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        unfinished.rename(target)
        return target

    def run(
        self, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run one step, its output in the log.

        Raises:
            PeerMissingError: it cannot be run, or fails.
        """
        words = [str(word) for word in command]
        log = self.folder / "logs" / "install.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("wb") as output:
                subprocess.run(  # noqa: S603  # our own commands
                    words,
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env={**os.environ, **(environment or {})},
                )
        except OSError as error:
            raise PeerMissingError(str(error)) from error
        except subprocess.CalledProcessError as error:
            words_left = log.read_text(encoding="utf-8", errors="replace").strip()
            raise PeerMissingError(
                f"{Path(words[0]).name} failed: …{words_left[-LOG_TAIL_CHARACTERS:]}"
            ) from error

    def make_environment(
        self, name: str, requirements: Sequence[str], *, without_requirements: Sequence[str] = ()
    ) -> Path:
        """Return the interpreter of a virtual environment with these packages.

        Those of `without_requirements` are installed without what they ask for.

        Raises:
            PeerMissingError: a package cannot be installed.
        """
        content = "\n".join([*requirements, *without_requirements])
        mark = hashlib.sha256(content.encode()).hexdigest()[:12]
        environment = self.folder / f"{name}-environment"
        python = environment / "bin" / "python"

        def write(done: Path) -> None:
            # A virtual environment cannot be renamed, so a file beside it says that it is whole.
            _remove(environment)
            base = Path(sys.base_prefix) / "bin" / "python3"
            self.run([base, "-m", "venv", environment])
            pip: list[str | Path] = [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            self.run([*pip, *requirements])
            if without_requirements:
                self.run([*pip, "--no-deps", *without_requirements])
            done.write_text(content, encoding="utf-8")

        self.make(self.folder / f"{name}-{mark}.installed", f"installing {name}", write)
        return python


def name_checkpoint(model: Path) -> str:
    """Return a name for a checkpoint's conversions: changes with its configuration and weights."""
    content = hashlib.sha256((model / "config.json").read_bytes())
    for path in sorted(model.glob("*.safetensors")):
        status = path.stat()
        content.update(f"{path.name} {status.st_size} {status.st_mtime_ns}".encode())
    return f"{model.name}-{content.hexdigest()[:12]}"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
