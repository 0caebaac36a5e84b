"""What is kept: conversations, messages, the replies being written, feedback, pictures, presets."""

from chat.models.conversation import Conversation
from chat.models.feedback import Feedback
from chat.models.image import Image
from chat.models.message import Message, MessageImage
from chat.models.preset import Preset
from chat.models.reply import Reply

__all__ = ["Conversation", "Feedback", "Image", "Message", "MessageImage", "Preset", "Reply"]
