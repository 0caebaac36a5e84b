"""The words that the scripts need, in the reader's language: one block of JSON in the page.

`{name}` is filled by the scripts. A test compares the keys with those that the scripts ask for.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from chat.views.document_texts import document_texts
from chat.views.options_form import detail_names
from chat.views.transcript import end_notes


def page_texts() -> dict[str, str]:
    """Give every text by its key, in the language that is active now."""
    ends = {f"end_{reason}": text for reason, text in end_notes().items()}
    parts = (
        _answer_texts(),
        _composer_texts(),
        _options_texts(),
        _connection_texts(),
        _list_texts(),
        document_texts(),
    )
    return {key: text for part in (*parts, ends) for key, text in part.items()}


def example_questions() -> list[str]:
    """Give questions that the demo model can answer about its example picture too."""
    return [
        _("What do you see?"),
        _("How many shapes are there?"),
        _("What colour is the circle?"),
        _("Where is the yellow star?"),
    ]


def _answer_texts() -> dict[str, str]:
    return {
        "stage_waiting": _("Waiting…"),
        "stage_queued": _("Place {position} in the queue"),
        "stage_next": _("Next in the queue"),
        "stage_loading": _("Loading the model…"),
        "stage_vision_one": _("Reading the picture…"),
        "stage_vision_many": _("Reading {count} pictures…"),
        "stage_prefill": _("Thinking…"),
        "stage_decode": _("Writing…"),
        "percent": _("{percent} %"),
        "seconds_left": _("about {seconds} s left"),
        "tokens_per_s": _("{rate} tokens/s"),
        "taken_over": _("Another worker goes on with this answer."),
        "answer_finished": _("The answer is complete."),
        "answer_failed": _("The answer failed: {reason}"),
        "go_on": _("Go on"),
        "go_on_anyway": _("Go on anyway"),
        "part_of": _("{part} of {whole}"),
        "copied": _("Copied"),
        "not_connected": _("There is no connection at the moment. Try again when it is back."),
        "feedback_thanks": _("Thank you."),
        "copy_failed": _("Copying is not allowed here."),
        "seconds": _("{seconds} s"),
        "mark_unnamed": _("Place {number}"),
        "picture_number": _("Picture {number}"),
        "cut_name": _("part of the picture"),
        "picture_count": _("{number} of {count}"),
    }


def _composer_texts() -> dict[str, str]:
    return {
        "question_waiting": _("Waiting to send"),
        "question_sending": _("Sending…"),
        "question_empty": _("Write a question first."),
        "question_too_long": _("{count} characters too many. At most {limit} fit one question."),
        "characters_left": _("{count} characters left"),
        "uploads_running": _("A picture is still being uploaded."),
        "uploads_failed": _("Remove the pictures that failed, or try them again."),
        "answer_running": _("Wait for the answer to end, or stop it."),
        "too_many_pictures": _("At most {limit} pictures fit one question."),
        "picture_too_large": _("“{name}” has {size}. A picture may have at most {limit}."),
        "not_a_picture": _("“{name}” is not a picture."),
        "picture_empty": _("“{name}” is empty."),
        "upload_failed": _("The upload failed. Try again."),
        "upload_offline": _("No connection. The upload goes on when it is back."),
        "upload_done": _("Picture {name} is ready."),
        "upload_progress": _("Uploading {name}: {percent} %"),
        "upload_remove": _("Remove {name}"),
        "upload_retry": _("Try {name} again"),
        "picture_place": _("Picture {number}, {name}"),
        "picture_moved": _("{name} is now number {number}."),
        "price_tokens": _("{count} tokens"),
        "price_moment": _("under 1 s"),
        "price_seconds": _("about {seconds} s"),
        "price_minutes": _("about {minutes} min"),
        "context_full": _(
            "About {needed} tokens, but {room} fit the model. "
            "Send fewer pictures or a shorter text."
        ),
        "context_full_detail": _(
            "About {needed} tokens, but {room} fit the model. "
            "Look less closely (“{detail}” fits), or send fewer pictures."
        ),
        "pasted_picture": _("pasted picture"),
        "megabytes": _("{size} MB"),
        "kilobytes": _("{size} KB"),
    }


def _options_texts() -> dict[str, str]:
    details = {f"pixels_{name}": label for name, label in detail_names().items()}
    return details | {
        "option_system_prompt": _("Instructions"),
        "option_pixels": _("Pictures: {value}"),
        "option_temperature": _("Temperature {value}"),
        "option_top_p": _("Top-p {value}"),
        "option_presence_penalty": _("Presence penalty {value}"),
        "option_max_tokens": _("At most {value} tokens"),
        "option_seed": _("Seed {value}"),
        "preset_none": _("No preset"),
        "preset_of_new": _("{name} (for new conversations)"),
        "preset_saved": _("“{name}” is saved."),
        "preset_deleted": _("“{name}” is deleted."),
        "presets_failed": _("The presets could not be loaded."),
    }


def _connection_texts() -> dict[str, str]:
    return {
        "connecting": _("Connecting…"),
        "connected": _("Connected"),
        "reconnecting": _("Connection lost. Reconnecting…"),
        "offline": _("You are offline. Questions are sent when the connection is back."),
        "signed_out": _("You are signed out. Your draft is kept."),
        "demo_answers": _("The demo model answers. It only knows drawn shapes and short words."),
        "demo_downloading": _("The demo model answers. {model} is being downloaded: {percent} %"),
        "demo_upcoming": _("The demo model answers. {model} is being fetched."),
        "demo_loading": _("The demo model answers. {model} is being loaded."),
        "model_downloading": _("{model} is being downloaded: {percent} %"),
        "model_loading": _("The model is being loaded…"),
        "model_failed": _("The model is unavailable: {reason}"),
        "model_failed_log": _("the administrator finds the reason in the log."),
    }


def _list_texts() -> dict[str, str]:
    return {
        "untitled": _("New conversation"),
        "deleted": _("“{title}” is deleted."),
        "archived": _("“{title}” is in the archive."),
        "notify_offer": _("This takes a while. Shall the browser tell you when it is done?"),
        "notify_yes": _("Yes, tell me"),
        "on": _("on"),
        "off": _("off"),
        "undo_failed": _("That could not be taken back."),
        "change_failed": _("That could not be changed. Try again."),
        "rename_failed": _("The name could not be changed. Try again."),
        "delete_failed": _("The conversation could not be deleted. Try again."),
        "list_failed": _("The list could not be loaded."),
        "deleted_elsewhere": _("This conversation was deleted."),
    }
