"""Serve the product with uvicorn instead, to compare the two; nothing answers questions."""

from __future__ import annotations

import os

import django
import uvicorn
from django.conf import settings

PING_INTERVAL_S = 20
PING_TIMEOUT_S = 30
MAX_FRAME_BYTES = 1024 * 1024


def main() -> None:
    """Serve until SIGTERM."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vlsite.settings")
    django.setup()
    uvicorn.run(
        "vlsite.asgi:application",
        host=settings.VL_HOST,
        port=settings.VL_PORT,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_TIMEOUT_S,
        ws_per_message_deflate=False,
        lifespan="off",
        log_level="info",
    )


if __name__ == "__main__":
    main()
