"""The Django admin with our site, which has a page about the server."""

from django.contrib.admin.apps import AdminConfig


class ServerAdminConfig(AdminConfig):
    """Django's admin; the site is made when its first page is registered."""

    default_site = "vlsite.admin_site.ServerAdminSite"

    def ready(self) -> None:
        """Register the site's own checks as well: this is its only app."""
        super().ready()
        # Registers while it is imported.
        from vlsite import checks  # noqa: F401
