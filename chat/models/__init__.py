"""What is kept: conversations, their messages, the replies being written, the pictures."""

from chat.models.conversation import Conversation
from chat.models.image import Image
from chat.models.message import Message, MessageImage
from chat.models.reply import Reply

__all__ = ["Conversation", "Image", "Message", "MessageImage", "Reply"]
