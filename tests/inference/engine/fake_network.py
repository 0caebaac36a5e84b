"""A network that is all memory: every answer depends on the whole prefix, picture and place.

Each slot of the cache takes a number made of its token and of all slots before it, read from the
pages; the next token is made of all of them. A single slot of somebody else's conversation, of a
freed page or of a picture's other half changes the rest of the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from inference.engine.cache_keys import picture_keys
from inference.engine.kernels.base import PAGE_TOKENS
from inference.engine.kv_cache import KVCache
from inference.engine.page_pool import PagePool
from inference.engine.rope import as_tensor, prompt_positions
from inference.engine.sequence import (
    AnswerRule,
    EngineSequence,
    PlacedPicture,
    Prompt,
    SequenceEnded,
    SequenceEvent,
    TokenChosen,
)
from inference.engine.text import SequenceRows
from inference.engine.vision import PictureFeatures, PicturePatches
from inference.requests import SamplingOptions

VOCABULARY = 97
IMAGE_TOKEN = 96
MERGE = 2
TEXT_LAYERS = 3
VISION_LAYERS = 4
GREEDY = SamplingOptions(temperature=0.0, presence_penalty=0.0)


class FakeClock:
    """A clock that goes on when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeNetwork:
    """See the module's text. `log` has an entry for each layer that ran, with its rows' counts.

    Answers are made of `words` tokens; of few, they repeat themselves often.
    """

    def __init__(self, memory: Tensor, clock: FakeClock, words: int = IMAGE_TOKEN) -> None:
        self.memory = memory
        self.clock = clock
        self.words = words
        self.log: list[tuple[str, tuple[int, ...]]] = []
        self.encoded: list[int] = []
        self.before_layer: Callable[[str], None] = lambda kind: None
        self.decode_s, self.row_s, self.layer_s = 0.02, 0.001, 0.03

    @property
    def vision_layers(self) -> int:
        return VISION_LAYERS

    def start_text(self, rows: Sequence[SequenceRows]) -> FakeTextRun:
        return FakeTextRun(self, rows)

    def start_vision(self, pictures: Sequence[PicturePatches]) -> FakeVisionRun:
        return FakeVisionRun(self, pictures)

    def run_layer(self, kind: str, counts: tuple[int, ...], took_s: float) -> None:
        self.before_layer(kind)
        self.log.append((kind, counts))
        self.clock.now += took_s

    def list_layers(self, kind: str) -> list[tuple[int, ...]]:
        return [counts for logged, counts in self.log if logged == kind]


class FakeTextRun:
    layers = TEXT_LAYERS

    def __init__(self, network: FakeNetwork, rows: Sequence[SequenceRows]) -> None:
        self._network = network
        self._rows = rows
        self._outputs: list[int] = []
        self._scored: set[int] = set()
        first = 0
        for row in rows:
            first += len(row.token_ids)
            self._scored |= set(range(first - (row.scored or 0), first))
        self.layers_done = 0

    def step(self, layers: int | None = None) -> bool:
        counts = tuple(len(row.token_ids) for row in self._rows)
        network = self._network
        took_s = (network.decode_s + network.row_s * (sum(counts) - len(counts))) / TEXT_LAYERS
        for _ in range(TEXT_LAYERS if layers is None else layers):
            network.run_layer("text", counts, took_s)
            self.layers_done += 1
        if self.layers_done == TEXT_LAYERS:
            self._outputs = [output for row in self._rows for output in self._compute(row)]
        return self.layers_done < TEXT_LAYERS

    def logits(self, rows: Sequence[int]) -> Tensor:
        scores = torch.zeros(len(rows), VOCABULARY)
        if not set(rows) <= self._scored:
            raise AssertionError(f"asked for {rows}, scored are {self._scored}")
        for number, row in enumerate(rows):
            scores[number, next_token(self._outputs[row], self._network.words)] = 1.0
        return scores

    def _compute(self, rows: SequenceRows) -> Iterable[int]:
        contents = list(rows.token_ids)
        for span in rows.features:
            tokens = span.features.tokens[span.first_token : span.first_token + span.count, 0]
            contents[span.first_row : span.first_row + span.count] = tokens.long().tolist()
        slots = [self._read(rows.pages, index) for index in range(rows.first_index)]
        for offset, content in enumerate(contents):
            slots.append(fill_slot(slots, content, as_tensor(rows.positions)[:, offset].tolist()))
            self._write(rows.pages, rows.first_index + offset, slots[-1])
            yield read_out(slots)

    def _read(self, pages: Sequence[int], index: int) -> int:
        page, slot = pages[index // PAGE_TOKENS], index % PAGE_TOKENS
        return int(self._network.memory[0, page, 0, 0, slot, 0])

    def _write(self, pages: Sequence[int], index: int, value: int) -> None:
        page, slot = pages[index // PAGE_TOKENS], index % PAGE_TOKENS
        self._network.memory[0, page, 0, 0, slot, 0] = value


class FakeVisionRun:
    layers = VISION_LAYERS

    def __init__(self, network: FakeNetwork, pictures: Sequence[PicturePatches]) -> None:
        self._network = network
        self._pictures = pictures
        self.layers_done = 0

    def step(self) -> bool:
        counts = tuple(picture.grid.patches for picture in self._pictures)
        self._network.run_layer("vision", counts, self._network.layer_s)
        self.layers_done += 1
        return self.layers_done < VISION_LAYERS

    def features(self) -> list[PictureFeatures]:
        return [self._encode(picture) for picture in self._pictures]

    def _encode(self, picture: PicturePatches) -> PictureFeatures:
        look = int(picture.pixels[0, 0])
        self._network.encoded.append(look)
        tokens = picture_contents(look, picture.grid.tokens(MERGE))
        return PictureFeatures(
            torch.tensor(tokens).float()[:, None], torch.zeros(0, len(tokens), 1)
        )


def fill_slot(slots: Sequence[int], content: int, position: Sequence[int]) -> int:
    """Return what a token leaves in its slot of the cache, behind these slots."""
    return _mix([*slots, content, *position])


def read_out(slots: Sequence[int]) -> int:
    """Return the network's output behind some slots."""
    return _mix([*slots, -1])


def next_token(output: int, words: int = IMAGE_TOKEN) -> int:
    """Return the token that an output means; never an image token."""
    return output % words


def picture_contents(look: int, count: int) -> list[int]:
    """Return what stands for each of a picture's tokens; small enough for a float32."""
    return [1000 + look * 1000 + number for number in range(count)]


def _mix(numbers: Sequence[int]) -> int:
    digest = hashlib.blake2b(repr(list(numbers)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def make_cache(pages: int) -> KVCache:
    """Return a cache whose slots hold one whole number each."""
    return KVCache(PagePool(torch.zeros((1, pages, 2, 1, PAGE_TOKENS, 1), dtype=torch.int64)))


def make_picture(look: int, *, first_token: int, columns: int = 4) -> PlacedPicture:
    """Return a picture of 2 by `columns` patches, all alike but for `look`."""
    pixels = torch.full((2 * columns, 1), float(look))
    patches = PicturePatches(pixels, 2, columns)
    return PlacedPicture(
        digest=f"{look}/{columns}".encode(),
        patches=patches,
        first_token=first_token,
        tokens=patches.grid.tokens(MERGE),
    )


def make_prompt(*parts: int | PlacedPicture) -> Prompt:
    """Return a prompt of token ids and pictures (made with any `first_token`)."""
    token_ids: list[int] = []
    keys: list[int] = []
    pictures: list[PlacedPicture] = []
    for part in parts:
        if isinstance(part, int):
            token_ids.append(part)
            keys.append(part)
            continue
        look, columns = int(part.patches.pixels[0, 0]), part.patches.columns
        pictures.append(make_picture(look, first_token=len(token_ids), columns=columns))
        token_ids += [IMAGE_TOKEN] * part.tokens
        keys += picture_keys(part.digest, part.tokens)
    grids = [picture.patches.grid for picture in pictures]
    positions = prompt_positions(token_ids, grids, image_token_id=IMAGE_TOKEN, merge=MERGE)
    return Prompt(
        token_ids=tuple(token_ids), keys=tuple(keys), positions=positions, pictures=tuple(pictures)
    )


class Asker:
    """A request, what came back, and the wish to stop."""

    def __init__(
        self,
        *parts: int | PlacedPicture,
        max_tokens: int = 5,
        eos_ids: frozenset[int] = frozenset(),
        answer_ids: Sequence[int] = (),
        options: SamplingOptions = GREEDY,
    ) -> None:
        self.events: list[SequenceEvent] = []
        self.is_cancelled = False
        self.sequence = EngineSequence(
            make_prompt(*parts),
            AnswerRule(options=options, max_tokens=max_tokens, eos_ids=eos_ids),
            answer_ids=answer_ids,
            emit=self.events.append,
            is_cancelled=lambda: self.is_cancelled,
        )

    @property
    def tokens(self) -> list[int]:
        return [event.token_id for event in self.events if isinstance(event, TokenChosen)]

    @property
    def ends(self) -> list[SequenceEnded]:
        return [event for event in self.events if isinstance(event, SequenceEnded)]

    @property
    def has_ended(self) -> bool:
        return bool(self.ends)

    @property
    def cached_tokens(self) -> int:
        return self.ends[0].cached_tokens

    def expected(self, count: int, words: int = IMAGE_TOKEN) -> list[int]:
        """Return the first `count` tokens of the answer, computed without any cache."""
        prompt = self.sequence.prompt
        contents = list(prompt.token_ids)
        for picture in prompt.pictures:
            look = int(picture.patches.pixels[0, 0])
            end = picture.end_token
            contents[picture.first_token : end] = picture_contents(look, picture.tokens)
        slots: list[int] = []
        for index, content in enumerate(contents):
            slots.append(fill_slot(slots, content, prompt.positions.values[:, index].tolist()))
        answer: list[int] = []
        for number in range(count):
            answer.append(next_token(read_out(slots), words))
            place = [prompt.positions.next_position + number] * 3
            slots.append(fill_slot(slots, answer[-1], place))
        return answer
