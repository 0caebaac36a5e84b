"""What is kept: conversations, all that is in them, PDFs, presets; and what belongs to accounts."""

from chat.models.api_key import ApiKey
from chat.models.conversation import Conversation
from chat.models.daily_use import DailyUse
from chat.models.document import Document
from chat.models.document_run import DocumentRun, RunPage
from chat.models.feedback import Feedback
from chat.models.image import Image
from chat.models.invitation import Invitation
from chat.models.leftover_file import LeftoverFile
from chat.models.message import Message, MessageImage
from chat.models.preferences import Preferences
from chat.models.preset import Preset
from chat.models.reply import Reply

__all__ = [
    "ApiKey",
    "Conversation",
    "DailyUse",
    "Document",
    "DocumentRun",
    "Feedback",
    "Image",
    "Invitation",
    "LeftoverFile",
    "Message",
    "MessageImage",
    "Preferences",
    "Preset",
    "Reply",
    "RunPage",
]
