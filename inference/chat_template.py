"""A chat template with the behaviour of Qwen3-VL's, for checkpoints written here.

ChatML turns, pictures as vision tokens in the place where they stand, `add_vision_id` numbering
them over the whole conversation, no default system prompt. Tools and videos are left out: nothing
here uses them.
"""

from __future__ import annotations

CHAT_TEMPLATE = """\
{%- set seen = namespace(pictures=0) -%}
{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- set is_text = message.content is string -%}
    {%- set parts = [{'type': 'text', 'text': message.content}] if is_text else message.content -%}
    {%- for part in parts -%}
        {%- if message.role == 'user' and part.type == 'image' -%}
            {%- set seen.pictures = seen.pictures + 1 -%}
            {%- if add_vision_id -%}{{- 'Picture ' ~ seen.pictures ~ ': ' -}}{%- endif -%}
            {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
        {%- elif part.type == 'text' -%}
            {{- part.text -}}
        {%- endif -%}
    {%- endfor -%}
    {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""
