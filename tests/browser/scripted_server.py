"""Start the real server with an answering script that the questions of the tests steer.

Run as a program, with the settings in the environment. A question that contains
- `slowly` is answered over several seconds, in visible stages;
- `everything` is answered with a table, code and mathematics;
- `where` is answered with two boxes and a point, in JSON, `which` with a box in Picture 2;
- `many conversations` gives the newest account 3,000 old ones;
- `repeat` (its first word) is answered with all that follows it;
- `a long conversation` gives the newest account one of 500 messages with 50 pictures;
- `fail` ends in an error after a few words;
- `la la` is answered with nothing but `la`, until the presence penalty is 2;
- `instructions` is answered with the system prompt and the temperature;
- anything else is answered at once with facts about the request.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.management import call_command

from inference.backends import scripted
from inference.errors import ErrorCode, InferenceError
from inference.requests import GenerationRequest, Role, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.backends.base import Cancellation

SLOW_TOKENS = 60
REPEAT = "repeat "
MANY = 3000
LOOP_TOKENS = 200
HIGHEST_PENALTY = 2
LONG_TURNS = 250
LONG_PICTURES = 50
PARAGRAPH = "The picture shows a red circle on white. It is in the middle, and round. " * 6
EVERYTHING = """There are **three shapes** in the picture:

| Place | Shape | Colour |
|---|---|---|
| top left | circle | red |
| top right | square | blue |
| bottom left | star | yellow |

With a radius of 65 px the circle covers

$$A = \\pi r^2 \\approx 13\\,273\\ \\text{px}^2$$

```python
import math

def area(radius_px: float) -> float:
    \"\"\"Area of a circle.\"\"\"
    return math.pi * radius_px**2  # square pixels
```

1. First the *circle*,
2. then the `square`,
3. then the star.
"""
WHERE = """Here they are:

```json
[
\t{"bbox_2d": [250, 250, 750, 750], "label": "red circle"},
\t{"bbox_2d": [0, 0, 100, 100], "label": "corner"}
]
```

Its middle is {"point_2d": [500, 500], "label": "middle"} and """
_pace = threading.local()


class PacedGate(scripted.Gate):
    """Takes the steps of a slow answer slowly; the answer's thread sets the pace."""

    def pass_step(self, stage: Stage, cancellation: Cancellation) -> None:
        """Wait as long as the question asked for."""
        if getattr(_pace, "is_slow", False):
            cancellation.wait(0.12 if stage == Stage.DECODE else 0.4)


def answer(request: GenerationRequest) -> str:
    """Answer as the last question asks for."""
    question = request.messages[-1].text
    _pace.is_slow = "slowly" in question
    if question.startswith(REPEAT):
        return question.removeprefix(REPEAT)
    for word, text in ANSWERS.items():
        if word in question:
            return text(request)
    return describe(request)


def keep_many() -> str:
    """Give the person who came last a long past, five minutes a conversation."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from chat.models import Conversation

    person = get_user_model().objects.latest("pk")
    now = timezone.now()
    Conversation.objects.bulk_create(
        Conversation(owner=person, title=f"Old {n}", active_at=now - timedelta(minutes=5 * n))
        for n in range(1, MANY + 1)
    )
    return f"Here are {MANY} conversations."


def keep_long() -> str:
    """Give the person who came last a conversation of many turns; say which it is."""
    from django.contrib.auth import get_user_model

    from tests.chat.factories import a_picture, a_turn, end_reply

    person = get_user_model().objects.latest("pk")
    conversation_id = None
    for number in range(LONG_TURNS):
        with_picture = number % (LONG_TURNS // LONG_PICTURES) == 0
        pictures = [a_picture(person, color=(number, 40, 40)).pk] if with_picture else []
        turn = a_turn(
            person, f"Question {number}?", conversation_id=conversation_id, image_ids=pictures
        )
        end_reply(turn.reply, EVERYTHING if number % 5 == 4 else PARAGRAPH, model="scripted")
        conversation_id = turn.conversation.pk
    return f"It is {conversation_id}."


def _fail(_request: GenerationRequest) -> str:
    raise InferenceError(ErrorCode.OUT_OF_MEMORY, "There is not enough memory.")


def _repeat(request: GenerationRequest) -> str:
    is_warned = request.options.presence_penalty >= HIGHEST_PENALTY
    return "No more of it." if is_warned else "la " * LOOP_TOKENS


def _tell_options(request: GenerationRequest) -> str:
    first = request.messages[0]
    system = first.text if first.role is Role.SYSTEM else "none"
    return f"Instructions: {system} At {request.options.temperature:g}, {request.pixels}."


def _words(first: int) -> str:
    return " ".join(f"word{number}" for number in range(first, SLOW_TOKENS + 1))


# By a word of the question; the first that is found counts.
ANSWERS: dict[str, Callable[[GenerationRequest], str]] = {
    "many conversations": lambda _: keep_many(),
    "a long conversation": lambda _: keep_long(),
    "fail": _fail,
    "which": lambda _: 'In Picture 2: {"bbox_2d": [0, 0, 500, 1000]}',
    "where": lambda _: WHERE + _words(0),
    "everything": lambda _: EVERYTHING,
    "la la": _repeat,
    "instructions": _tell_options,
    "slowly": lambda _: _words(1) + ".",
}


describe = scripted.describe_request


def main() -> None:
    """Serve."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vlsite.settings")
    django.setup()
    # Everybody in the tests comes from one address; tests/vlsite attacks the limits.
    # People sign up by the hundred here; a password that is costly to guess costs each a second.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ACCOUNT_RATE_LIMITS = False
    if os.environ["VL_BACKEND"] == "scripted":
        scripted.Script = functools.partial(  # type: ignore[misc,assignment]
            scripted.Script, answer=answer, gate=PacedGate(), has_loop_guard=True
        )
    call_command("serve")


if __name__ == "__main__":
    main()
