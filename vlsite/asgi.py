"""The ASGI application: pages and API by Django, `/ws/chat/` by Channels."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vlsite.settings")
django_application = get_asgi_application()

# After Django is set up: these import models.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from chat.generation import local  # noqa: E402
from chat.key_sign_in import KeySignIn  # noqa: E402
from chat.routing import websocket_urlpatterns  # noqa: E402
from vlsite.origins import ExactOriginValidator  # noqa: E402
from vlsite.proxies import TrustedProxies  # noqa: E402

application = TrustedProxies(
    ProtocolTypeRouter(
        {
            "http": django_application,
            "websocket": ExactOriginValidator(
                AuthMiddlewareStack(KeySignIn(URLRouter(websocket_urlpatterns)))
            ),
        }
    )
)

local.attend()
