"""A checkpoint's chat template: Jinja, in a sandbox, because it comes with the model from anywhere.

Source: transformers.utils.chat_template_utils and processing_utils, 5.24.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from inference.model_folder import read_json
from inference.processor.errors import UnsupportedProcessorError
from inference.prompt import TemplateMessage

JSON_FILE: Final = "chat_template.json"
TEMPLATE_FILE: Final = "chat_template.jinja"
MORE_TEMPLATES: Final = "additional_chat_templates"


class PlainNamespace(Namespace):
    """A template's namespace whose names are plain: `__class__` would lead out of the sandbox."""

    def __init__(self, /, *args: Any, **names: Any) -> None:
        """Take the names.

        Raises:
            SecurityError: one begins with an underscore.
        """
        for name in dict(*args, **names):
            _check_name(name)
        super().__init__(*args, **names)

    def __setitem__(self, name: str, value: Any) -> None:
        """Change or add a name; raises as the constructor."""
        _check_name(name)
        super().__setitem__(name, value)


class ChatTemplate:
    """A compiled template; rendering may go on in several threads at once."""

    def __init__(self, source: str) -> None:
        """Compile a template.

        Raises:
            UnsupportedProcessorError: it does not compile, or wants what only transformers gives.
        """
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = partial(json.dumps, ensure_ascii=False)
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["namespace"] = PlainNamespace
        try:
            tree = environment.parse(source)
            self._template = environment.from_string(tree)
        except TemplateSyntaxError as error:
            raise UnsupportedProcessorError(
                f"its template cannot be compiled ({error.message})"
            ) from error
        for name in sorted({node.name for node in tree.find_all(nodes.Name)}):
            # transformers gives the clock, and the tokenizer's special tokens by name.
            if name == "strftime_now" or name.endswith("_token"):
                raise UnsupportedProcessorError(f"its template asks for {name}")

    def render(self, messages: Sequence[TemplateMessage], *, add_vision_id: bool) -> str:
        """Return the prompt of a conversation, up to where the answer begins.

        Of a picture the template sees that it is there, not its pixels.

        Raises:
            TemplateError: the template refuses the conversation.
        """
        return self._template.render(
            messages=_plain(list(messages)),
            tools=None,
            documents=None,
            add_generation_prompt=True,
            add_vision_id=add_vision_id,
        )


def load_chat_template(folder: Path) -> ChatTemplate:
    """Read the template for conversations with pictures.

    Raises:
        UnsupportedProcessorError: there is none, there are several, or see `ChatTemplate`.
        InferenceError: `model_unavailable`, the file is broken.
    """
    if (folder / MORE_TEMPLATES).is_dir():
        raise UnsupportedProcessorError("it has several templates")
    # The older file wins where both are there.
    if (folder / JSON_FILE).is_file():
        source = read_json(folder, JSON_FILE).get("chat_template")
    elif (folder / TEMPLATE_FILE).is_file():
        source = (folder / TEMPLATE_FILE).read_text(encoding="utf-8")
    else:
        raise UnsupportedProcessorError("its template stands with the tokenizer")
    if not isinstance(source, str):
        raise UnsupportedProcessorError("it has several templates")
    return ChatTemplate(source)


def _plain(value: object) -> object:
    """Return a value made of lists, dictionaries, text and numbers: objects have methods."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float) else f"<{type(value).__name__}>"


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"A template may not keep anything as {name}.")


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)
