"""The words of the page chooser and of the bar that tells of a run; part of `page_texts`."""

from __future__ import annotations

from django.utils.translation import gettext as _


def document_texts() -> dict[str, str]:
    """Give every text by its key, in the language that is active now."""
    return {
        "document_too_large": _("“{name}” has {size}. A PDF may have at most {limit}."),
        "document_uploading": _("Uploading…"),
        "document_reading": _("Reading the document…"),
        "page_number": _("Page {number}"),
        "page_name": _("{name}, page {number}"),
        "pages_chosen": _("{count} of {total} pages chosen"),
        "pages_too_many": _(
            "The question takes {limit} more pictures: choose fewer pages, or have each written."
        ),
        "pages_unclear": _("Write pages from 1 to {count}, like 1-3, 7."),
        "pages_drawing": _("Drawing the pages…"),
        "pages_run": _("Write {count} pages as Markdown"),
        "run_page": _("Page {number} of {total}"),
        "run_done": _("{count} of {total} pages done."),
        "run_stopped": _("Stopped after {count} of {total} pages."),
        "run_failed": _("Failed: {count}"),
    }
