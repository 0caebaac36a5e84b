"""A program with the options of llama-server that streams an answer which it makes up."""

from __future__ import annotations

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers /health and streams one answer; asked for 13 tokens it refuses."""

    def do_GET(self) -> None:
        self._begin(200)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["max_tokens"] == 13:
            self._begin(400)
            self.wfile.write(b"the prompt is too long")
            return
        self._begin(200)
        kinds = [part["type"] for part in body["messages"][0]["content"]]
        for piece in kinds:
            self._say({"choices": [{"delta": {"content": f"{piece} "}}]})
        timings = {"predicted_n": body["max_tokens"], "prompt_n": 40, "cache_n": 300}
        self._say({"choices": [], "timings": {**timings, "predicted_per_second": 9.5}})
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _begin(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def _say(self, event: object) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())


def main() -> None:
    """Serve on the port that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--port", type=int)
    arguments, _ = parser.parse_known_args()
    if arguments.model == "broken":
        sys.exit("failed to load model")
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
