"""OpenVINO GenAI as a contestant: its own environment, and conversions kept for the next run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from inference.bench.peers.install import Install, name_checkpoint
from inference.bench.worker import Launch

REQUIREMENTS: Final = (
    "nncf==3.4.0",
    "openvino==2026.4.1",
    "openvino-genai==2026.4.1.0",
    "openvino-tokenizers==2026.4.1.0",
    "optimum-intel==2.2.0",
    "pillow==13.0.0",
    "torch==2.13.0",
    "transformers==5.0.0",
)
# Its native library does not load beside a CPU build of torch; see backends/torchvision_shim.
TORCHVISION: Final = "torchvision==0.28.0"


def prepare(install: Install, *, model: Path, threads: int, quantization: str) -> Launch:
    """Install and convert what is not there yet; return how it is started.

    Raises:
        PeerMissingError: a step failed.
    """
    python = install.make_environment("openvino", REQUIREMENTS, without_requirements=[TORCHVISION])
    export: list[str | Path] = [python, "-m", "inference.bench.peers.openvino_export"]
    converted = install.folder / "models" / f"{name_checkpoint(model)}-openvino"
    install.make(
        converted,
        f"converting {model.name} for OpenVINO",
        lambda folder: install.run([*export, model, folder]),
    )
    quantized = install.make(
        converted.with_name(f"{converted.name}-{quantization}"),
        f"quantising to {quantization}",
        lambda folder: install.run([*export, converted, folder, "--quantization", quantization]),
    )
    command = [str(python), "-m", "inference.bench.peers.openvino_genai"]
    return Launch([*command, "--model", str(quantized), "--threads", str(threads)])
