"""How mail is sent: as Django does, but nothing stays open when the server refuses."""

from __future__ import annotations

from django.core.mail.backends import smtp


class EmailBackend(smtp.EmailBackend):
    """Django's own leaves the connection open when the server refuses TLS or the password."""

    def open(self) -> bool | None:
        """Connect and sign in; see Django's.

        Raises:
            OSError: the server is not reached, or refuses; nothing stays open.
        """
        try:
            return super().open()
        except OSError:
            self.close()
            raise
