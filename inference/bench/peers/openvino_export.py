"""Converts a checkpoint for OpenVINO GenAI; runs in the peer's own environment.

    python -m inference.bench.peers.openvino_export CHECKPOINT FOLDER --quantization int8

int4 has one scale and zero point for 64 inputs, and all layers of the language model in it; the
vision tower and the embeddings stay in int8.
"""

from __future__ import annotations

import argparse

from inference.backends.torchvision_shim import ensure_torchvision


def main() -> None:
    """Convert as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.peers.openvino_export")
    parser.add_argument("checkpoint")
    parser.add_argument("folder")
    parser.add_argument("--quantization", choices=("int8", "int4"), required=True)
    arguments = parser.parse_args()
    ensure_torchvision()  # before anything imports it
    from optimum.exporters.openvino import main_export
    from optimum.intel import OVConfig, OVWeightQuantizationConfig

    form = OVWeightQuantizationConfig(bits=8)
    if arguments.quantization == "int4":
        form = OVWeightQuantizationConfig(bits=4, group_size=64, sym=False, ratio=1.0)
    main_export(
        arguments.checkpoint,
        arguments.folder,
        task="image-text-to-text",
        ov_config=OVConfig(quantization_config=form),
        convert_tokenizer=True,
        library_name="transformers",
    )


if __name__ == "__main__":
    main()
