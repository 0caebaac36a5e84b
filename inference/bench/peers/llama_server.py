"""llama.cpp's own server as a contestant: this process starts it and is its only client.

Prompt caches are on, a slot for each person. The first word is timed here at the stream's first
piece of text; the speed after it is the server's own figure, for a piece of text may be several
tokens of half a character each.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

from inference.bench.wire import Answer, Answerer, Conversation, Line, Ready, serve

SLOT_TOKENS = 2048
HOST = "127.0.0.1"
ANSWER_DEADLINE_S = 600
POLL_S = 0.05


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.peers.llama_server")
    parser.add_argument("--server", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--projector", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    arguments = parser.parse_args()
    # Also ends the server when the benchmark was killed and only the pipe was closed.
    with ExitStack() as running:
        serve(lambda: _start(arguments, running))


def _start(arguments: argparse.Namespace, running: ExitStack) -> tuple[Ready, Answerer]:
    port = _find_port()
    command = [arguments.server, "--model", arguments.model, "--mmproj", arguments.projector]
    command += ["--threads", str(arguments.threads), "--threads-batch", str(arguments.threads)]
    command += ["--parallel", str(arguments.slots)]
    command += ["--ctx-size", str(arguments.slots * SLOT_TOKENS)]
    command += ["--host", HOST, "--port", str(port), "--jinja", "--no-webui"]
    server = subprocess.Popen(  # noqa: S603  # our own command
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr
    )
    running.callback(server.terminate)
    while not _is_ready(port):
        if server.poll() is not None:
            raise RuntimeError(f"llama-server ended with {server.returncode}")
        time.sleep(POLL_S)

    def answer(conversations: Sequence[Conversation], tokens: int) -> list[Answer]:
        began = monotonic()
        with ThreadPoolExecutor(len(conversations)) as people:
            answers = [people.submit(_ask, port, c, tokens, began) for c in conversations]
            return [answer.result() for answer in answers]

    return Ready(f"llama.cpp, {Path(arguments.model).stem.rpartition('-')[2]}", server.pid), answer


def _find_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _ask(port: int, conversation: Conversation, tokens: int, began: float) -> Answer:
    body = {
        "messages": [{"role": line.role, "content": _format(line)} for line in conversation],
        "max_tokens": tokens,
        "stream": True,
        "ignore_eos": True,
        "cache_prompt": True,
        "temperature": 1.0,
        "top_k": 20,
    }
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_DEADLINE_S)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise RuntimeError(response.read().decode(errors="replace")[:300])
        return _read_answer(_read_events(response), began)
    finally:
        connection.close()


def _read_events(response: http.client.HTTPResponse) -> Iterator[Any]:
    for line in response:
        if match := re.fullmatch(rb"data: (\{.*\})\s*", line):
            yield json.loads(match[1])


def _read_answer(events: Iterator[Any], began: float) -> Answer:
    text, timings = "", None
    first_s = last_s = 0.0
    for event in events:
        for choice in event.get("choices") or []:
            if piece := choice["delta"].get("content"):
                last_s = monotonic() - began
                first_s = first_s or last_s
                text += piece
        timings = event.get("timings") or timings
    if timings is None:
        raise RuntimeError("the stream ended without its figures")
    return Answer(
        text=text,
        tokens=timings["predicted_n"],
        prompt_tokens=timings["prompt_n"] + timings.get("cache_n", 0),
        first_s=first_s,
        total_s=last_s,
        decode_tokens_per_s=timings["predicted_per_second"],
    )


def _format(line: Line) -> list[dict[str, object]]:
    parts: list[dict[str, object]] = []
    if line.picture:
        content = base64.b64encode(Path(line.picture).read_bytes()).decode()
        parts.append(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{content}"}}
        )
    return [*parts, {"type": "text", "text": line.text}]


if __name__ == "__main__":
    main()
