"""Addresses of the pages and of the fragments that they load."""

from django.urls import path

from chat.views import account, fragments, pages, pwa

app_name = "chat"
urlpatterns = [
    path("", pages.home, name="home"),
    path("c/<uuid:conversation_id>/", pages.conversation, name="conversation"),
    path("c/<uuid:conversation_id>/messages/<uuid:message_id>/", fragments.message, name="message"),
    path(
        "c/<uuid:conversation_id>/messages/<uuid:message_id>/earlier/",
        fragments.earlier_messages,
        name="earlier",
    ),
    path("manifest.webmanifest", pwa.manifest, name="manifest"),
    path("sw.js", pwa.service_worker, name="service_worker"),
    path("offline/", pwa.offline, name="offline"),
    path("conversations/", fragments.conversation_list, name="conversations"),
    path("accounts/", account.overview, name="account"),
    path("accounts/sessions/", account.sessions, name="sessions"),
    path("accounts/sessions/end/", account.end_other_sessions, name="end_other_sessions"),
    path("accounts/sessions/<int:session_id>/end/", account.end_session, name="end_session"),
    path("accounts/keys/", account.keys, name="keys"),
    path("accounts/keys/<uuid:key_id>/revoke/", account.revoke_key, name="revoke_key"),
    path("accounts/delete/", account.delete, name="delete_account"),
]
