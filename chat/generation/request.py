"""Turns a claimed reply into a request to the inference service."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from django.conf import settings

from chat.models import Message
from chat.services import conversations
from chat.services.images import read_bytes
from inference.requests import (
    ChatMessage,
    GenerationRequest,
    ImagePart,
    PixelBudget,
    Role,
    SamplingOptions,
    TextPart,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chat.models import Image, Reply

# Not within a word or an address; the page writes it for whoever points at a picture.
MENTION = re.compile(r"(?<![\w.@])@([1-9]\d{0,2})(?!\w)", re.ASCII)


def request_for(reply: Reply, *, is_demo: bool) -> GenerationRequest:
    """Build the request: the branch up to the question, and what was already accepted.

    Of a run through a document the branch is the page's question alone: pages before it would cost
    time and say nothing of this one. Reads every picture of the branch from storage; 2 queries.
    """
    branch = conversations.branch_to(reply.message.conversation, leaf_id=reply.message.parent_id)
    if branch and hasattr(branch[-1], "run_page"):
        branch = branch[-1:]
    messages = (*_instructions(reply), *_chat_messages(branch))
    return GenerationRequest(
        id=f"{reply.pk}-{reply.attempt}",
        messages=messages,
        options=_sampling(reply, is_demo=is_demo),
        pixels=PixelBudget(reply.options["pixels"]),
        prefix_token_ids=tuple(reply.token_ids),
        shown_chars=len(reply.text),
        prefix_text="" if reply.token_ids else reply.text,
    )


def default_options(*, is_demo: bool) -> dict[str, Any]:
    """Give what holds where nobody chose; the demo model was trained to be read greedily."""
    return {
        "temperature": 0.0 if is_demo else settings.VL_TEMPERATURE,
        "top_p": settings.VL_TOP_P,
        "presence_penalty": 0.0 if is_demo else settings.VL_PRESENCE_PENALTY,
    }


def _sampling(reply: Reply, *, is_demo: bool) -> SamplingOptions:
    """Fill what nobody chose."""
    defaults = default_options(is_demo=is_demo)
    chosen = {name: reply.options[name] for name in defaults if name in reply.options}
    return SamplingOptions(
        max_tokens=reply.options["max_tokens"],
        seed=reply.options["seed"],
        top_k=settings.VL_TOP_K,
        is_loop_guarded=settings.VL_LOOP_GUARD and not reply.option("is_unguarded"),
        **(defaults | chosen),
    )


def _instructions(reply: Reply) -> tuple[ChatMessage, ...]:
    """Give the system prompt as the first message, where there is one."""
    text = (reply.option("system_prompt") or "").strip()
    return (ChatMessage(Role.SYSTEM, (TextPart(text),)),) if text else ()


def _chat_messages(branch: Sequence[Message]) -> Iterator[ChatMessage]:
    """Give the messages that say anything."""
    pictures = 0
    for message in branch:
        if message.role == Message.Role.ASSISTANT:
            if message.reply.text:
                yield ChatMessage(Role.ASSISTANT, (TextPart(message.reply.text),))
            continue
        images = message.images_in_order()
        pictures += len(images)
        text = name_pictures(message.text, pictures)
        yield ChatMessage(Role.USER, (*map(_image_part, images), TextPart(text)))


def name_pictures(text: str, pictures: int) -> str:
    """Give the text with `@2` as the name that the model knows the second picture by.

    What names none of the conversation's `pictures` so far stays as it is.
    """

    def name(found: re.Match[str]) -> str:
        return f"Picture {found[1]}" if 1 <= int(found[1]) <= pictures else found[0]

    return MENTION.sub(name, text)


def _image_part(image: Image) -> ImagePart:
    data = read_bytes(image)
    return ImagePart(data, hashlib.sha256(data).hexdigest())
