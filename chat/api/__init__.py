"""The JSON API at /api/ (docs/protocol.md, part 2); its description at /api/openapi.json.

A router a noun. A view parses, calls access and one service, and answers; it is synchronous, so
Django runs it in a thread of its own. An answer that lasts is an asynchronous iterator.
"""

from ninja import NinjaAPI

from chat.api import account, conversations, documents, images, info, presets, replies, turns
from chat.api.auth import PersonAuth
from chat.api.errors import install_error_handlers
from chat.api.frames import BodyParser

api = NinjaAPI(
    title="Conversations about pictures",
    version="1",
    urls_namespace="api",
    auth=[PersonAuth()],
    parser=BodyParser(),
)
install_error_handlers(api)
api.add_router("/info", info.router)
api.add_router("/account", account.router)
api.add_router("/images", images.router)
api.add_router("/documents", documents.router)
api.add_router("/runs", documents.runs)
api.add_router("/conversations", conversations.router)
api.add_router("/conversations", turns.router)
api.add_router("", turns.versions)
api.add_router("/presets", presets.router)
api.add_router("/replies", replies.router)
