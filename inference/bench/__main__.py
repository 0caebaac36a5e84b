"""Run the benchmark: `python -m inference.bench --model FOLDER`, or `--quick` without peers.

Prints progress, the table, and one line of JSON at the end. Returns 0 when it has run, whatever was
reached (the JSON line says that), and 2 when it could not begin.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.bench.asks import ALONE, Questions, ask_crowd, ask_crowd_in_text
from inference.bench.contestants import (
    GROUPS,
    OURS_INT4,
    OURS_INT8,
    PACKED_FOLDER,
    PEERS,
    Conditions,
    launch_ours,
    launch_peers,
)
from inference.bench.drafts import DraftsMissingError, measure_drafts
from inference.bench.peers.install import Install
from inference.bench.probes import KernelProber
from inference.bench.prompts import IMAGE_TOKENS
from inference.bench.schedule import Bench, Group
from inference.bench.table import Floors, format_table, judge, summarize
from inference.bench.work import count_text_operations, count_token_bytes, count_vision_operations
from inference.bench.worker import Launch
from inference.config import Quantization
from inference.demo import WEIGHTS_DIR
from inference.engine.shape import read_shape

PROMPT_TOKENS = 340
PEOPLE = 8
QUICK_GROUPS = (
    Group(
        name="of ours",
        members=(OURS_INT8, OURS_INT4),
        in_rounds=ALONE,
        once=(ask_crowd, ask_crowd_in_text),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    groups: Sequence[Group]
    rounds: int
    tokens: int
    drafted_rounds: int
    drafted_tokens: int


FULL = Extent(groups=GROUPS, rounds=5, tokens=64, drafted_rounds=3, drafted_tokens=320)
# The demo model is brief.
QUICK = Extent(groups=QUICK_GROUPS, rounds=1, tokens=2, drafted_rounds=1, drafted_tokens=8)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line says."""
    arguments = _make_parser().parse_args(argv)
    extent = QUICK if arguments.quick else FULL
    model = arguments.model or (WEIGHTS_DIR if arguments.quick else None)
    if model is None or not (model / "config.json").is_file():
        print(f"There is no model in {model}; see docs/operations.md.", file=sys.stderr)
        return 2
    folder = arguments.folder.absolute()
    conditions = Conditions(model=model.absolute(), threads=arguments.threads, people=PEOPLE)
    launches = launch_ours(conditions, folder)
    missing = dict.fromkeys(PEERS, "left out by --quick")
    if not arguments.quick:
        _say("Installing and converting what is not there yet.")
        peers, missing = launch_peers(conditions, Install(folder, _say))
        launches |= peers
    return run(conditions, launches, missing, extent=extent, folder=folder)


def run(
    conditions: Conditions,
    launches: Mapping[str, Launch],
    missing: Mapping[str, str],
    *,
    extent: Extent,
    folder: Path,
) -> int:
    """Measure, print the table and the line; return 0, or 2 if the machine cannot be probed."""
    try:
        prober = KernelProber(conditions.threads)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    _say(f"{platform.platform()}, {conditions.threads} threads, {prober.kernels.name} kernels.")
    bench = Bench(
        launches=launches,
        prober=prober,
        folder=folder,
        threads=conditions.threads,
        rounds=extent.rounds,
        questions=Questions(
            pictures=folder / "pictures", tokens=extent.tokens, people=conditions.people
        ),
        say=_say,
    )
    for name in launches.keys() & {OURS_INT8, OURS_INT4}:
        bench.start_once(name)
    bench.run(extent.groups)
    rows = judge(
        bench.results,
        _find_floors(conditions.model, prober),
        *_try_drafts(conditions, missing, extent, folder / PACKED_FOLDER),
    )
    _say(format_table(rows))
    _say(json.dumps(summarize(rows, bench.results), ensure_ascii=False))
    return 0


def _find_floors(model: Path, prober: KernelProber) -> Floors:
    shape = read_shape(model)
    vision_ops = count_vision_operations(shape.vision, IMAGE_TOKENS)

    def read_bytes(outputs: int, inputs: int) -> int:
        return prober.kernels.read_bytes(outputs, inputs, Quantization.INT8)

    return Floors(
        vision_ops=vision_ops,
        first_word_ops=vision_ops + count_text_operations(shape.text, PROMPT_TOKENS),
        token_bytes=count_token_bytes(shape, read_bytes),
    )


def _try_drafts(
    conditions: Conditions, missing: Mapping[str, str], extent: Extent, packed_cache: Path
) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """Return the ratios with and without drafts, and what is missing, themselves perhaps."""
    try:
        ratios = measure_drafts(
            conditions.model,
            conditions.threads,
            packed_cache,
            rounds=extent.drafted_rounds,
            tokens=extent.drafted_tokens,
        )
    except DraftsMissingError as error:
        return {}, {**missing, "drafts": str(error)}
    return ratios, missing


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.bench")
    parser.add_argument("--model", type=Path, help="a checkpoint of Qwen3-VL; random weights do")
    parser.add_argument("--folder", type=Path, required=True, help="keeps peers and conversions")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="the demo model, without peers")
    return parser


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
