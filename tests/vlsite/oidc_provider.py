"""A small OpenID Connect provider on a port of its own: discovery, keys, codes, tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "chat", "open sesame"


@dataclass
class Provider:
    """Says of everybody who comes that they are `claims`; `fault` makes it misbehave.

    With `is_asking` it first shows a page with a form, as real ones do.
    """

    claims: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "4711",
            "preferred_username": "dora",
            "email": "dora@example.org",
            "email_verified": True,
        }
    )
    fault: str = ""
    host: str = "127.0.0.1"
    is_asking: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def start(self) -> None:
        """Serve on a port of its own."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self, {})

            def do_POST(self) -> None:
                if self.path.startswith("/authorize"):
                    provider.send_back(self, urlsplit(self.path).query)
                    return
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.answer(self, dict(parse_qsl(body)))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://{self.host}:{self._server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        """Answer one request."""
        parts = urlsplit(handler.path)
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "/.well-known/openid-configuration": self._configuration,
            "/keys": self._keys,
            "/token": lambda: self._token(form),
            "/userinfo": lambda: {**self.claims, "iss": self.url},
        }
        if parts.path == "/authorize":
            (self._ask if self.is_asking else self.send_back)(handler, parts.query)
            return
        body = json.dumps(answers[parts.path]()).encode()
        is_faulty = self.fault == parts.path
        handler.send_response(500 if is_faulty else 200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(b"{}" if is_faulty else body)

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def _keys(self) -> dict[str, Any]:
        algorithm = jwt.algorithms.RSAAlgorithm
        key = json.loads(algorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": "1", "alg": "RS256", "use": "sig"}]}

    def _ask(self, handler: BaseHTTPRequestHandler, _query: str) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        # To this very address; the empty icon spares the browser a question.
        handler.wfile.write(
            b'<!DOCTYPE html><title>Provider</title><link rel="icon" href="data:,">'
            b'<form method="post"><button>Allow</button></form>'
        )

    def send_back(self, handler: BaseHTTPRequestHandler, query: str) -> None:
        """Send the browser back with a code."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        back = {"state": asked["state"]}
        if self.fault == "denied":
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe()
            self.codes[back["code"]] = asked
        handler.send_response(302)
        handler.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        handler.end_headers()

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        asked = self.codes.pop(form.get("code", ""), {})
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        is_ours = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        if not is_ours or asked.get("code_challenge") != challenge:
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            **self.claims,
            "iss": "https://evil.example" if self.fault == "issuer" else self.url,
            "aud": "another" if self.fault == "audience" else CLIENT_ID,
            "iat": now,
            "exp": now - 3600 if self.fault == "expired" else now + 300,
        }
        token = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "1"})
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token}
