"""Speculation with and without: `python -m inference.bench.measure_drafts --model FOLDER`.

Writes each text by the real network in turn without drafts and with them, and prints tokens a
second of both. The last line is JSON: `repetitive` is the least of the repetitive texts' ratios
with ÷ without, `prose` that of prose; each text's is the median of its rounds. Prose has three
times as many: its bound is 0.97, and where the memory's speed changes between two runs, one pair
of them says anything from 0.8 to 1.1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

from inference.backends.engine_loading import LoadedNetworks, load_networks, start_engine
from inference.bench.dictated_network import DictatedNetwork
from inference.bench.repetitive_texts import Writing, make_writings
from inference.config import InferenceConfig, Quantization
from inference.engine.draft_hints import make_hints
from inference.engine.rope import prompt_positions
from inference.engine.sequence import (
    AnswerRule,
    EngineSequence,
    Prompt,
    SequenceEnded,
    SequenceEvent,
    TokenChosen,
)
from inference.engine.speculation import MOST_DRAFT_TOKENS
from inference.processor.parts import find_parts
from inference.processor.text_codec import TextCodec
from inference.requests import SamplingOptions

WARM_UP_TOKENS = 16
DEADLINE_S = 300.0
PROSE_SHARE = 3
"""Rounds of prose in one round of a repetitive text."""
GREEDY = SamplingOptions(temperature=0.0, repetition_penalty=1.0, presence_penalty=0.0)


class DraftsRun:
    """Writes texts with the networks of one checkpoint."""

    def __init__(self, networks: LoadedNetworks, codec: TextCodec, config: InferenceConfig) -> None:
        """Dictate to loaded networks."""
        self._dictated = DictatedNetwork(networks.network)
        self._networks = replace(networks, network=self._dictated)
        self._codec = codec
        self._config = config

    def measure(self, writing: Writing, tokens: int, *, drafts: bool) -> float:
        """Return tokens a second from the first token to the last.

        Raises:
            Exception: whatever ended the answer before its last token.
        """
        prompt_ids = self._codec.encode(writing.question)
        answer_ids = self._codec.encode(writing.answer)[:tokens]
        self._dictated.tokens = [*prompt_ids, *answer_ids]
        events: SimpleQueue[tuple[float, SequenceEvent]] = SimpleQueue()
        sequence = EngineSequence(
            self._make_prompt(prompt_ids),
            AnswerRule(
                options=GREEDY,
                max_tokens=len(answer_ids),
                eos_ids=frozenset(),
                draft_hints=make_hints(self._codec.encode),
            ),
            emit=lambda event: events.put((monotonic(), event)),
            is_cancelled=lambda: False,
        )
        most = MOST_DRAFT_TOKENS if drafts else 0
        engine = start_engine(self._networks, config=self._config, draft_tokens=most)
        try:
            engine.submit(sequence)
            written = _wait_for_end(events)
        finally:
            engine.close()
        if [token_id for _, token_id in written] != answer_ids:
            raise RuntimeError("the engine wrote another text than was dictated")
        return (len(written) - 1) / (written[-1][0] - written[0][0])

    def _make_prompt(self, ids: Sequence[int]) -> Prompt:
        shape = self._networks.shape
        positions = prompt_positions(
            ids, [], image_token_id=shape.image_token_id, merge=shape.vision.merge
        )
        return Prompt(token_ids=tuple(ids), keys=tuple(ids), positions=positions)


def measure(
    run: DraftsRun, writings: Mapping[str, Writing], *, rounds: int, tokens: int
) -> dict[str, float]:
    """Write all texts so many times; return each one's ratio with ÷ without drafts."""
    ratios = {}
    for name, writing in writings.items():
        found = []
        for round_ in range(rounds if writing.is_repetitive else PROSE_SHARE * rounds):
            order = (False, True) if round_ % 2 else (True, False)
            speeds = {drafts: run.measure(writing, tokens, drafts=drafts) for drafts in order}
            found.append(speeds[True] / speeds[False])
            _say(f"  {name}: {speeds[True]:.1f} with, {speeds[False]:.1f} without tokens/s")
        ratios[name] = statistics.median(found)
        _say(f"{name}: {ratios[name]:.2f} times")
    return ratios


def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.measure_drafts")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--packed-cache", type=Path)
    parser.add_argument("--quantization", type=Quantization, default=Quantization.INT8)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=320)
    arguments = parser.parse_args(argv)
    config = InferenceConfig(
        quantization=arguments.quantization,
        packed_cache_dir=arguments.packed_cache,
        threads=arguments.threads,
    )
    parts = find_parts(arguments.model)
    if parts is None:
        _say("The tokenizer of this model is read by transformers only.")
        return 2
    networks = load_networks(arguments.model, config=config, report=lambda done, total: None)
    run = DraftsRun(networks, parts.codec, config)
    writings = make_writings()
    # The first run of a process is slower.
    run.measure(writings["prose"], WARM_UP_TOKENS, drafts=True)
    ratios = measure(run, writings, rounds=arguments.rounds, tokens=arguments.tokens)
    repetitive = min(ratios[name] for name in writings if writings[name].is_repetitive)
    _say(json.dumps({"repetitive": repetitive, "prose": ratios["prose"], "texts": ratios}))
    return 0


def _wait_for_end(events: SimpleQueue[tuple[float, SequenceEvent]]) -> list[tuple[float, int]]:
    """Return when which token came."""
    written = []
    while True:
        at, event = events.get(timeout=DEADLINE_S)
        if isinstance(event, TokenChosen):
            written.append((at, event.token_id))
        elif isinstance(event, SequenceEnded):
            if event.error is not None:
                raise event.error
            return written


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
