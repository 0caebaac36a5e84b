"""Walks through what a schema allows, as a model that knows nothing would write."""

from __future__ import annotations

from random import Random

from tokenizers import Tokenizer

from inference.json_constraint import JsonConstraint
from inference.token_bytes import make_token_bytes

CLOSERS = b'"]},'
MOST_STEPS = 4000


class Walker:
    """Draws tokens among those that are allowed; now and then one that closes something."""

    def __init__(self, tokenizer: Tokenizer, eos_id: int) -> None:
        read = make_token_bytes(tokenizer)
        self.eos_id = eos_id
        self._bytes = [read(token_id) for token_id in range(tokenizer.get_vocab_size())]

    def read(self, token_ids: list[int]) -> str:
        return b"".join(self._bytes[token_id] for token_id in token_ids).decode()

    def walk(self, constraint: JsonConstraint, random: Random) -> list[int]:
        """Return the tokens up to the end of the answer."""
        token_ids: list[int] = []
        for _ in range(MOST_STEPS):
            constraint.look_ahead()
            allowed = constraint.wait()[0].nonzero().flatten().tolist()
            closing = [i for i in allowed if i == self.eos_id or self._bytes[i] in CLOSERS]
            token_id = random.choice(closing if closing and random.random() < 0.3 else allowed)
            constraint.accept(token_id)
            if token_id == self.eos_id:
                return token_ids
            token_ids.append(token_id)
        raise AssertionError(f"no end after {MOST_STEPS} tokens")
