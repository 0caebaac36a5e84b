"""What a contestant is asked for each figure, and how its answers become figures.

A picture belongs to a round, so nothing of it is cached when its first question comes; the later
questions of the round are about the same picture.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from inference.bench.prompts import (
    OTHER_QUESTION,
    PASSAGE_WORDS,
    SECOND_QUESTION,
    ask_about,
    ask_in_text,
    draw_picture,
    go_on,
)
from inference.bench.wire import Answer, Conversation

FOLLOWED_TOKENS = 8
"""How long an answer is that is followed up. What random weights write does not come back as the
same tokens, so all of it is read again, which would not happen with a real answer."""
FIRST_WORD_TOKENS = 2
"""Where only the first word counts."""
CROWD_SEED = 1000
CROWD_TOKENS = 32
Figures: TypeAlias = dict[str, float]


class Contestant(Protocol):
    """Whoever answers: `worker.Worker`."""

    def ask(self, conversations: list[Conversation], tokens: int) -> list[Answer]:
        """Answer all at once."""

    def peak_bytes(self) -> int:
        """Return the most memory that it ever had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The sizes of what is asked: how many tokens an answer has, how many people ask at once."""

    pictures: Path
    tokens: int
    people: int

    def draw(self, seed: int) -> Path:
        """Return a picture's file."""
        return draw_picture(self.pictures, seed)


Ask: TypeAlias = Callable[[Contestant, int, Questions], Figures]


def ask_first_word(contestant: Contestant, round_: int, questions: Questions) -> Figures:
    """Ask about a new picture: the first word with nothing cached, then one person's speed."""
    [answer] = contestant.ask([ask_about(questions.draw(round_))], questions.tokens)
    figures = {
        "prompt_tokens": float(answer.prompt_tokens),
        "first_s": answer.first_s,
        "decode_tokens_per_s": answer.decode_tokens_per_s,
    }
    if answer.vision_s is not None:
        figures["vision_s"] = answer.vision_s
    return figures


def ask_follow_up(contestant: Contestant, round_: int, questions: Questions) -> Figures:
    """Ask the same, shortly answered, and then something more about it."""
    question = ask_about(questions.draw(round_))
    tokens = min(FOLLOWED_TOKENS, questions.tokens)
    [answer] = contestant.ask([question], tokens)
    follow_up = go_on(question, answer.text, SECOND_QUESTION)
    [answer] = contestant.ask([follow_up], tokens)
    return {"follow_up_first_s": answer.first_s}


def ask_same_picture(contestant: Contestant, round_: int, questions: Questions) -> Figures:
    """Begin another conversation about the round's picture."""
    conversation = ask_about(questions.draw(round_), OTHER_QUESTION)
    [answer] = contestant.ask([conversation], FIRST_WORD_TOKENS)
    return {"same_picture_first_s": answer.first_s}


def ask_passage(contestant: Contestant, round_: int, questions: Questions) -> Figures:
    """Let a text be read that is as long as the question with its picture."""
    [answer] = contestant.ask([ask_in_text(round_, PASSAGE_WORDS)], FIRST_WORD_TOKENS)
    return {"prefill_tokens_per_s": answer.prompt_tokens / answer.first_s}


def ask_crowd(contestant: Contestant, round_: int, questions: Questions) -> Figures:
    """Let many people ask at once, each about a picture of their own."""
    seeds = range(CROWD_SEED * round_, CROWD_SEED * round_ + questions.people)
    conversations = [ask_about(questions.draw(seed)) for seed in seeds]
    answers = contestant.ask(conversations, min(CROWD_TOKENS, questions.tokens))
    return {
        "crowd_wall_s": max(answer.total_s for answer in answers),
        "crowd_first_s": statistics.median(answer.first_s for answer in answers),
    }


def ask_crowd_in_text(contestant: Contestant, round_: int, questions: Questions) -> Figures:
    """Let many people be answered together without pictures.

    The speed of all is taken from the first person's first word to the last one's last: the
    reading of the other questions counts against it. One person's, of the same kind of question,
    comes directly before.
    """
    first = CROWD_SEED * round_
    [alone] = contestant.ask([ask_in_text(first)], questions.tokens)
    conversations = [ask_in_text(first + number + 1) for number in range(questions.people)]
    answers = contestant.ask(conversations, questions.tokens)
    began = min(answer.first_s for answer in answers)
    written_s = max(answer.total_s for answer in answers) - began
    tokens = sum(answer.tokens for answer in answers)
    return {
        "alone_tokens_per_s": alone.decode_tokens_per_s,
        "crowd_tokens_per_s": tokens / written_s,
    }


def ask_peak_memory(contestant: Contestant, round_: int, questions: Questions) -> Figures:
    """Weigh it after all that it did."""
    return {"peak_bytes": float(contestant.peak_bytes())}


ALONE: tuple[Ask, ...] = (ask_first_word, ask_follow_up, ask_same_picture, ask_passage)
"""What one person asks in each round."""
