"""A checkpoint's template is rendered as transformers does, and cannot reach out of its sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from inference.errors import InferenceError
from inference.processor.errors import UnsupportedProcessorError
from inference.processor.template import ChatTemplate, load_chat_template
from inference.prompt import TemplateMessage
from tests.inference.qwen_folder import change_json

ASKED: list[TemplateMessage] = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]


class Picture:
    """Stands for something with methods."""

    def save(self) -> str:
        raise AssertionError("reached")


def render(source: str, messages: list[TemplateMessage] = ASKED) -> str:
    return ChatTemplate(source).render(messages, add_vision_id=True)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("{% if true %}\na\n{% endif %}\n", "a\n", id="blocks take no line"),
        pytest.param("  {% if true %}a{% endif %}", "a", id="blocks take no indent"),
        pytest.param("{{ messages[0].content[0].text }}", "Hi", id="messages"),
        pytest.param("{{ tools }}{{ documents }}", "NoneNone", id="no tools, no documents"),
        pytest.param("{{ add_generation_prompt }}{{ add_vision_id }}", "TrueTrue", id="switches"),
        pytest.param("{{ unheard_of }}", "", id="unknown names are empty"),
        pytest.param("{{ '<图>' | tojson }}", '"<图>"', id="json as it is"),
        pytest.param("{% for i in range(3) %}{% break %}{% endfor %}", "", id="loop controls"),
        pytest.param(
            "{% set n = namespace(a=1) %}{% set n.b = 2 %}{{ n.a + n.b }}", "3", id="namespace"
        ),
    ],
)
def test_template_is_rendered(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("{{ messages.__class__.__mro__ }}", id="attributes of Python"),
        pytest.param("{{ messages.append(1) }}", id="change of the messages"),
        pytest.param("{{ namespace(__class__=1) }}", id="namespace from names"),
        pytest.param("{{ namespace({'_a': 1}) }}", id="namespace from a dictionary"),
        pytest.param("{% set n = namespace() %}{% set n._a = 1 %}", id="namespace, later"),
    ],
)
def test_template_cannot_leave_its_sandbox(source: str) -> None:
    with pytest.raises(SecurityError):
        render(source)


def test_template_sees_no_object_with_methods() -> None:
    message: TemplateMessage = {"role": "user", "content": [{"image": Picture(), "width": 3}]}

    text = render("{{ messages[0].content[0].image }}{{ messages[0].content[0].width }}", [message])

    assert text == "<Picture>3"


def test_template_may_refuse_a_conversation() -> None:
    with pytest.raises(TemplateError, match="no pictures"):
        render("{{ raise_exception('no pictures') }}")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("{{ strftime_now('%Y') }}", "asks for strftime_now", id="the clock"),
        pytest.param("{{ bos_token }}", "asks for bos_token", id="tokens by name"),
        pytest.param("{% if %}", "cannot be compiled", id="broken"),
        pytest.param("{% generation %}", "cannot be compiled", id="a tag of transformers"),
    ],
)
def test_template_that_only_transformers_can_render_is_refused(source: str, reason: str) -> None:
    with pytest.raises(UnsupportedProcessorError, match=reason):
        ChatTemplate(source)


def test_older_file_wins(qwen_copy: Path) -> None:
    change_json(qwen_copy / "chat_template.json", chat_template="old")

    assert load_chat_template(qwen_copy).render(ASKED, add_vision_id=False) == "old"


def test_broken_file_is_named(qwen_copy: Path) -> None:
    (qwen_copy / "chat_template.json").write_text("{", encoding="utf-8")

    with pytest.raises(InferenceError, match=r"chat_template\.json: It cannot be read as JSON"):
        load_chat_template(qwen_copy)


def test_several_templates_are_refused(qwen_copy: Path) -> None:
    change_json(qwen_copy / "chat_template.json", chat_template=[{"name": "default"}])

    with pytest.raises(UnsupportedProcessorError, match="several templates"):
        load_chat_template(qwen_copy)


def test_folder_of_more_templates_is_refused(qwen_copy: Path) -> None:
    (qwen_copy / "additional_chat_templates").mkdir()

    with pytest.raises(UnsupportedProcessorError, match="several templates"):
        load_chat_template(qwen_copy)


def test_template_of_the_tokenizer_alone_is_refused(qwen_copy: Path) -> None:
    (qwen_copy / "chat_template.jinja").unlink()

    with pytest.raises(UnsupportedProcessorError, match="stands with the tokenizer"):
        load_chat_template(qwen_copy)
