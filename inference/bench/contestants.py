"""Who takes part: our engine in two forms, and the peers, each with how it is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from inference.bench.asks import ask_crowd, ask_crowd_in_text, ask_first_word
from inference.bench.peers import llama_install, openvino_install
from inference.bench.peers.install import Install, PeerMissingError
from inference.bench.schedule import Group
from inference.bench.worker import Launch
from inference.config import Quantization

OURS_INT8: Final = "ours int8"
OURS_INT4: Final = "ours int4"
TRANSFORMERS: Final = "transformers bf16"
LLAMA_Q8: Final = "llama.cpp Q8_0"
LLAMA_Q4: Final = "llama.cpp Q4_0"
OPENVINO_INT8: Final = "OpenVINO int8"
OPENVINO_INT4: Final = "OpenVINO int4"

PACKED_FOLDER: Final = "packed-weights"
PEERS: Final = (TRANSFORMERS, LLAMA_Q8, LLAMA_Q4, OPENVINO_INT8, OPENVINO_INT4)

GROUPS: Final = (
    Group(
        name="of eight bits",
        members=(OURS_INT8, LLAMA_Q8, OPENVINO_INT8),
        once=(ask_crowd, ask_crowd_in_text),
    ),
    Group(
        name="of four bits",
        members=(OURS_INT4, LLAMA_Q4, OPENVINO_INT4),
        once=(ask_crowd_in_text,),
    ),
    Group(name="with transformers", members=(OURS_INT8, TRANSFORMERS), in_rounds=(ask_first_word,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What is equal for all: the checkpoint, threads, and how many people may ask at once."""

    model: Path
    threads: int
    people: int


def launch_ours(conditions: Conditions, folder: Path) -> dict[str, Launch]:
    """Return how our engine is started in both forms; packed weights are kept in `folder`."""
    return {
        name: Launch(
            [
                *(sys.executable, "-m", "inference.bench.peers.ours"),
                *("--model", str(conditions.model), "--quantization", quantization),
                *("--packed-cache", str(folder / PACKED_FOLDER)),
                *("--threads", str(conditions.threads), "--slots", str(conditions.people)),
            ]
        )
        for name, quantization in (
            (OURS_INT8, Quantization.INT8),
            (OURS_INT4, Quantization.INT4),
        )
    }


def launch_peers(
    conditions: Conditions, install: Install
) -> tuple[dict[str, Launch], dict[str, str]]:
    """Install and convert what is needed; return how peers are started, and why others are not."""
    launches: dict[str, Launch] = {}
    missing: dict[str, str] = {}
    for name, prepare in _peers(conditions, install).items():
        try:
            launches[name] = prepare()
        except PeerMissingError as error:
            missing[name] = str(error)
            install.say(f"  {name} is left out: {error}")
    return launches, missing


def _peers(conditions: Conditions, install: Install) -> Mapping[str, Callable[[], Launch]]:
    llama = partial(
        llama_install.prepare,
        install,
        model=conditions.model,
        threads=conditions.threads,
        people=conditions.people,
    )
    openvino = partial(
        openvino_install.prepare, install, model=conditions.model, threads=conditions.threads
    )
    return {
        TRANSFORMERS: partial(_launch_transformers, conditions),
        LLAMA_Q8: partial(llama, quantization="Q8_0"),
        LLAMA_Q4: partial(llama, quantization="Q4_0"),
        OPENVINO_INT8: partial(openvino, quantization="int8"),
        OPENVINO_INT4: partial(openvino, quantization="int4"),
    }


def _launch_transformers(conditions: Conditions) -> Launch:
    """Return how transformers is started: it is a requirement of our own, nothing is installed."""
    command = [sys.executable, "-m", "inference.bench.peers.transformers_generate"]
    return Launch(
        [*command, "--model", str(conditions.model), "--threads", str(conditions.threads)]
    )
