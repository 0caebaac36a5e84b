"""What a loaded model computes with, and how busy and full it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStats:
    """A loaded model at one moment; what a backend does not have is None or 0.

    `kernels` and `number_format` are names. `batch` answers were written by the latest step
    together. Of `drafted_tokens` `kept_tokens` were right. The cache of conversations holds
    `cache_tokens`, of which `cache_used_tokens` are taken; `cache_hit_tokens` of prompts were found
    there and `cache_miss_tokens` were not. Seen pictures take `picture_bytes`.
    """

    backend: str
    kernels: str = ""
    number_format: str = ""
    batch: int | None = None
    drafted_tokens: int = 0
    kept_tokens: int = 0
    cache_tokens: int = 0
    cache_used_tokens: int = 0
    cache_hit_tokens: int = 0
    cache_miss_tokens: int = 0
    picture_bytes: int = 0
