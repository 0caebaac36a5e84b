"""What a request says of the site itself, in its head, is not believed by a server that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.server.people import TIMEOUT_S

if TYPE_CHECKING:
    from tests.server.processes import Product

EVIL = "https://evil.example"


@pytest.mark.parametrize(
    "name",
    ["Daphne-Root-Path", "daphne-root-path", "X-Forwarded-Host", "X-Forwarded-Prefix",
     "X-Script-Name", "Script-Name", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "X-Host"],
)  # fmt: skip
def test_a_header_moves_no_link(product: Product, name: str) -> None:
    headers = {name: f"host={EVIL}" if name == "Forwarded" else EVIL}
    answer = requests.get(product.url, headers=headers, allow_redirects=False, timeout=TIMEOUT_S)

    assert answer.headers["Location"] == "/accounts/login/?next=/"
