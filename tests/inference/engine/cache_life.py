"""What can happen to a cache, as plain actions, and what must be true after each of them.

People come with prompts that share pictures and beginnings, go on, edit, stop in the middle of a
step; memory is short. With a folder, pages go to disk and come back, sometimes damaged, and the
process starts anew. The model writes a hash of the whole prefix into each slot, so a single token
of a stranger in a page table would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.engine.cache_keys import picture_keys
from inference.engine.kv_cache import KVCache
from inference.engine.paged_sequence import PagedSequence
from inference.engine.spill_folder import SpillFolder
from tests.inference.engine.hashing_model import HashingModel, S, make_pool

PAGES = 8
PARTS = [[1], [2], [1, 2, 3], picture_keys(b"cat", 6), picture_keys(b"dog", 9), [3] * 5]
"""What prompts are made of; few pieces, so that beginnings meet often."""
MOST_TALKS = 4


@dataclass(eq=False)
class Talk:
    """A running sequence and all keys that it has or is going to compute."""

    sequence: PagedSequence
    keys: list[int]


class CacheLife:
    """A cache, who uses it now, and what was said before; `place` is its folder on disk, if any.

    Where an action takes `number`, it picks one of the running talks or of the past ones.
    """

    def __init__(self, place: Path | None = None) -> None:
        self._place = place
        self.past: list[list[int]] = [[]]
        self.restored_tokens = 0
        self._open()

    def ask(self, keys: Sequence[int]) -> Talk:
        """Begin a conversation."""
        known = self.cache.match(keys)
        sequence = self.cache.begin(keys)
        assert known.tokens // S * S <= sequence.length < len(keys)  # copies need room
        assert sequence.cached_tokens == sequence.length
        talk = Talk(sequence, list(keys))
        self.talks.append(talk)
        return talk

    def follow_up(self, number: int, cut: int, keys: Sequence[int]) -> Talk:
        """Go on behind an earlier conversation, or edit its last `cut` tokens."""
        earlier = self.past[number % len(self.past)]
        return self.ask([*earlier[: max(0, len(earlier) - cut)], *keys])

    def converse(self, number: int, cut: int, keys: Sequence[int]) -> None:
        """Run a whole conversation through, as far as there is room: this brings the pressure."""
        talk = self.follow_up(number, cut, keys)
        self.cache.catch_up(talk.sequence, talk.keys)
        self.model.run(talk.sequence, talk.keys, len(talk.keys))
        self.model.check(talk.sequence, talk.keys)
        self.end(talk)

    def prefill(self, number: int, count: int) -> None:
        """Compute a chunk of a prompt, if there is room."""
        talk = self._pick(number)
        end = min(len(talk.keys), talk.sequence.length + count)
        self.model.run(talk.sequence, talk.keys, end)

    def catch_up(self, number: int) -> None:
        """Take over what others have computed."""
        talk = self._pick(number)
        before = talk.sequence.length
        gained = self.cache.catch_up(talk.sequence, talk.keys)
        assert talk.sequence.length == before + gained
        assert talk.sequence.length <= max(before, len(talk.keys) - 1)

    def decode(self, number: int, drafts: list[int], accepted: int) -> None:
        """Compute some draft tokens and accept the first of them."""
        talk = self._pick(number)
        talk.keys[talk.sequence.length :] = drafts
        if self.cache.reserve(talk.sequence, len(talk.keys)):
            self.model.write(talk.sequence, talk.keys, len(talk.keys))
            self.cache.commit(talk.sequence, drafts[:accepted])

    def stop(self, number: int, unfinished: int) -> None:
        """End a conversation, with some tokens written that are never committed."""
        talk = self._pick(number)
        length = talk.sequence.length
        if self.cache.reserve(talk.sequence, length + unfinished):
            garbage = [*talk.keys[:length], *([-1] * unfinished)]
            self.model.write(talk.sequence, garbage, length + unfinished)
        self.end(talk)

    def restart(self, within_s: float) -> None:
        """End everything and start a new cache over the same folder."""
        self.finish(within_s)
        del self.past[:-3]
        self._open()

    def damage_a_file(self, position: int, *, is_cut: bool) -> None:
        """Flip a bit of one file on disk, or cut it off there."""
        assert self._place is not None
        assert self.folder is not None
        self.folder.flush()
        for file in sorted(self._place.iterdir())[:1]:
            content = bytearray(file.read_bytes() or b"?")
            content[position % len(content)] ^= 1
            file.write_bytes(content[: position % len(content)] if is_cut else content)

    def end(self, talk: Talk) -> None:
        """Release a sequence and remember what was said."""
        self.past.append(talk.keys[: talk.sequence.length])
        self.cache.release(talk.sequence)
        self.talks.remove(talk)

    def finish(self, within_s: float = 0.0) -> None:
        """End all conversations; nothing may be held any more."""
        for talk in list(self.talks):
            self.end(talk)
        self.check()
        stats = self.cache.stats()
        assert (stats.private_pages, stats.idle_pages) == (0, stats.cached_pages)
        assert self.cache.available_tokens == PAGES * S
        self.restored_tokens += stats.restored_tokens
        self.cache.close(within_s)

    def check(self) -> None:
        """Fail unless the books are right and every slot was computed behind its own prefix."""
        self.cache.check_invariants()
        for talk in self.talks:
            self.model.check(talk.sequence, talk.keys)
        for node in self.cache._tree.nodes():
            keys = [key for step in self.cache._tree.path(node) for key in step.keys]
            start = len(keys) - len(node.keys)
            for slot in range(len(node.keys)):
                self.model.check_slot(node.page, slot, keys[: start + slot + 1])

    def _open(self) -> None:
        pool = make_pool(PAGES)
        self.folder = None
        if self._place is not None:
            self.folder = SpillFolder(
                self._place, fingerprint=b"model", page_bytes=pool.page_bytes, budget_bytes=6_000
            )
        self.cache = KVCache(pool, self.folder)
        self.model = HashingModel(self.cache)
        self.talks: list[Talk] = []

    def _pick(self, number: int) -> Talk:
        return self.talks[number % len(self.talks)]
