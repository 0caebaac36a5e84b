"""Converts a checkpoint for OpenVINO GenAI; runs in the peer's own environment.

    python -m inference.bench.peers.openvino_export CHECKPOINT FOLDER
    python -m inference.bench.peers.openvino_export FOLDER SMALLER_FOLDER --quantization int8

First in 16 bits, then from that the smaller forms: the exporter leaves the weights of a
vision-language model as they are, whatever form it is asked for. int8 has a scale and a zero point
for each output; int4 one of each for 64 inputs, in the language model, all else in int8.
"""

from __future__ import annotations

import argparse
import gc
import shutil
from pathlib import Path
from typing import Any

from inference.backends.torchvision_shim import ensure_torchvision

LANGUAGE_MODEL = "openvino_language_model.xml"
QUANTIZED = (
    LANGUAGE_MODEL,
    "openvino_text_embeddings_model.xml",
    "openvino_vision_embeddings_merger_model.xml",
)
INT4_GROUP = 64


def main() -> None:
    """Convert as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.peers.openvino_export")
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quantization", choices=("int8", "int4"))
    arguments = parser.parse_args()
    if arguments.quantization is None:
        _export(arguments.source, arguments.folder)
    else:
        _quantize(arguments.source, arguments.folder, arguments.quantization)


def _export(checkpoint: Path, folder: Path) -> None:
    ensure_torchvision()  # before anything imports it
    # Only there in the peer's environment, as all below.
    from optimum.exporters.openvino import main_export

    main_export(
        str(checkpoint),
        str(folder),
        task="image-text-to-text",
        convert_tokenizer=True,
        library_name="transformers",
    )


def _quantize(source: Path, folder: Path, quantization: str) -> None:
    import nncf
    import openvino

    folder.mkdir()
    core = openvino.Core()
    for name in QUANTIZED:
        model: Any = core.read_model(source / name)
        if quantization == "int4" and name == LANGUAGE_MODEL:
            mode = nncf.CompressWeightsMode.INT4_ASYM
            model = nncf.compress_weights(model, mode=mode, group_size=INT4_GROUP, ratio=1.0)
        else:
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
        openvino.save_model(model, folder / name, compress_to_fp16=False)
        del model
        gc.collect()  # gigabytes, before the next one is read
    for path in source.iterdir():
        if path.with_suffix(".xml").name not in QUANTIZED:
            shutil.copy(path, folder)


if __name__ == "__main__":
    main()
