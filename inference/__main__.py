"""One question from a shell: `python -m inference [--model FOLDER] [--image FILE]... "question"`.

The answer streams to standard output, progress goes to standard error; `--json` prints one JSON
line an event instead.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from inference.config import BackendName, Dtype, InferenceConfig, Quantization
from inference.errors import InferenceError
from inference.requests import (
    ChatMessage,
    Event,
    Failed,
    Finished,
    GenerationRequest,
    ImagePart,
    PixelBudget,
    Role,
    SamplingOptions,
    ScoredToken,
    StageProgress,
    TextDelta,
    TextPart,
)
from inference.service import InferenceService, ServiceState

LOADING_DEADLINE_S = 24 * 3600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Answer the question of the command line; return 0 if the answer is whole."""
    arguments = _make_parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING, stream=sys.stderr
    )
    service = InferenceService(_make_config(arguments))
    service.add_listener(_show_state)
    service.start()
    try:
        service.wait_ready(LOADING_DEADLINE_S)
        generation = service.submit(_make_request(arguments))
        show = _show_json if arguments.json else _show_text
        failed = False
        for event in generation:
            show(event)
            failed = failed or isinstance(event, Failed)
    except (InferenceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        service.close()
    return int(failed)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference", description=__doc__)
    parser.add_argument("question")
    parser.add_argument(
        "--image", type=Path, action="append", default=[], help="may be given again"
    )
    parser.add_argument("--model", help="a folder or a hub name; none: the 2B model, or the demo")
    parser.add_argument("--backend", type=BackendName, default=BackendName.AUTO)
    parser.add_argument("--dtype", type=Dtype, default=Dtype.AUTO, help="of transformers")
    parser.add_argument(
        "--quantization", type=Quantization, default=Quantization.INT8, help="of the engine"
    )
    parser.add_argument("--threads", type=int, default=0, help="0: all physical cores")
    parser.add_argument("--pixels", type=PixelBudget, default=PixelBudget.BALANCED)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--stop", action="append", default=[], help="end before this text; may be given again"
    )
    parser.add_argument(
        "--logprobs", type=int, metavar="N", help="log probabilities, and those of the N likeliest"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json-schema", type=_read_schema, metavar="FILE", help="answer in JSON of a schema"
    )
    form.add_argument("--json-object", action="store_true", help="answer with a JSON object")
    parser.add_argument("--offline", action="store_true", help="never ask a model hub")
    parser.add_argument("--json", action="store_true", help="one JSON line an event")
    parser.add_argument("--verbose", action="store_true", help="log to standard error")
    return parser


def _make_config(arguments: argparse.Namespace) -> InferenceConfig:
    return InferenceConfig(
        backend=arguments.backend,
        model=arguments.model,
        dtype=arguments.dtype,
        quantization=arguments.quantization,
        threads=arguments.threads,
        hub_offline=arguments.offline,
    )


def _make_request(arguments: argparse.Namespace) -> GenerationRequest:
    files = [path.read_bytes() for path in arguments.image]
    images = [ImagePart(data, hashlib.sha256(data).hexdigest()) for data in files]
    return GenerationRequest(
        id="shell",
        messages=(ChatMessage(Role.USER, (*images, TextPart(arguments.question))),),
        options=SamplingOptions(
            max_tokens=arguments.max_tokens,
            temperature=arguments.temperature,
            seed=arguments.seed,
            stop=tuple(arguments.stop),
            logprobs=arguments.logprobs,
            json_schema=arguments.json_schema,
            json_object=arguments.json_object,
        ),
        pixels=arguments.pixels,
    )


def _read_schema(path: str) -> dict[str, object]:
    """Read a schema's file for the parser, which says what is wrong with it and exits."""
    try:
        schema = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error
    if not isinstance(schema, dict):
        raise argparse.ArgumentTypeError(f"{path}: a schema is a JSON object")
    return schema


def _show_state(state: ServiceState) -> None:
    share = f" {100 * state.done // state.total} %" if state.total else ""
    print(f"{state.phase}: {state.message}{share}", file=sys.stderr)


def _show_text(event: Event) -> None:
    if isinstance(event, TextDelta):
        print(event.text, end="", flush=True)
        for token in event.logprobs:
            top = ", ".join(_show_token(likely) for likely in token.top)
            print(f"{_show_token(token.chosen)} of {top}", file=sys.stderr)
    elif isinstance(event, StageProgress):
        print(f"{event.stage} {event.done}/{event.total}", file=sys.stderr)
    elif isinstance(event, Finished):
        print()
        print(
            f"{event.finish_reason}, {event.usage}, {event.timings}, {event.model}", file=sys.stderr
        )
    else:
        print(f"{event.code}: {event.message}", file=sys.stderr)


def _show_token(token: ScoredToken) -> str:
    return f"{token.data!r} {token.logprob:.3f}"


def _show_json(event: Event) -> None:
    """Print an event; the bytes of tokens become lists of numbers."""
    told = {"event": type(event).__name__, **asdict(event)}
    print(json.dumps(told, ensure_ascii=False, default=list), flush=True)


if __name__ == "__main__":
    sys.exit(main())
