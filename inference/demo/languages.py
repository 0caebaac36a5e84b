"""The words of the demo world: names, question templates and answer sentences in two languages.

Slots in templates: {the} {one} {many} are a target (`red circle`, `a red circle`, `red circles`),
{place} a place, {shape} and {colour} names, {noun} a word for shapes, {picture} for the picture.
Spelling (colour, color), case, closing marks and politeness are varied elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from inference.demo.drawing import COLOURS, PLACES, SHAPES

Target = tuple[str | None, str | None]
"""A shape and a colour, either of which may be left open."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language's templates by kind of question, and its answers by name."""

    code: str
    questions: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, str]
    numbers: tuple[str, ...]
    shapes: Mapping[str, str]
    colours: Mapping[str, str]
    places: Mapping[str, str]

    def name(self, target: Target, noun: str = "shape") -> str:
        """`red circle`, `circle`, `red shape` or `shape`, in this language."""
        shape, colour = target
        if self.code == "zh":
            what = self.shapes[shape] if shape else "图形"
            return f"{self.colours[colour]}的{what}" if colour else what
        return " ".join(part for part in (colour, shape or noun) if part)

    def one(self, target: Target, noun: str = "shape") -> str:
        """Give the name with an indefinite article."""
        name = self.name(target, noun)
        if self.code == "zh":
            return name
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"

    def many(self, target: Target, noun: str = "shape") -> str:
        """Give the plural of the name."""
        name = self.name(target, noun)
        if self.code == "zh":
            return name
        return f"{name}es" if name.endswith("s") else f"{name}s"


ENGLISH: Final = Language(
    code="en",
    questions={
        "count": (
            "how many {many} are there?",
            "how many {many} are there?",
            "how many {many} are in the {picture}?",
            "how many {many} are there in the {picture}?",
            "how many {many} do you see?",
            "how many {many} can you see?",
            "how many {many} does the {picture} show?",
            "how many {many}?",
            "count the {many}.",
            "what is the number of {many}?",
        ),
        "colour": (
            "what colour is the {shape}?",
            "what colour is the {shape}?",
            "what colour is the {shape}?",
            "which colour is the {shape}?",
            "which colour does the {shape} have?",
            "what colour does the {shape} have?",
            "what is the colour of the {shape}?",
            "what is the {shape}'s colour?",
            "the colour of the {shape}?",
        ),
        "colour_it": (
            "what colour is it?",
            "and what colour is it?",
            "which colour is it?",
            "what is its colour?",
            "and its colour?",
            "and what is its colour?",
            "and the colour?",
        ),
        "where": (
            "where is the {the}?",
            "where is the {the}?",
            "where is the {the} in the {picture}?",
            "where can I find the {the}?",
            "where do you see the {the}?",
            "in which corner is the {the}?",
            "what is the position of the {the}?",
        ),
        "where_it": ("where is it?", "and where is it?", "where exactly?", "and where?"),
        "what_at": (
            "what is at the {place}?",
            "what is at the {place}?",
            "what is in the {place}?",
            "what is in the {place} corner?",
            "what is at the {place} of the {picture}?",
            "what do you see at the {place}?",
            "which {noun} is at the {place}?",
            "what {noun} is at the {place}?",
        ),
        "what_middle": (
            "what is in the middle?",
            "what is in the middle of the {picture}?",
            "what is in the centre?",
            "what is at the centre?",
            "what do you see in the middle?",
            "which {noun} is in the middle?",
        ),
        "exist": (
            "is there {one}?",
            "is there {one}?",
            "is there {one} in the {picture}?",
            "do you see {one}?",
            "can you see {one}?",
            "are there any {many}?",
            "are there {many}?",
            "do you see any {many}?",
            "does the {picture} show {one}?",
            "does the {picture} have {one}?",
        ),
        "is_colour": ("is the {shape} {colour}?", "is the {shape} {colour}?"),
        "which_shape": (
            "what shape is {colour}?",
            "which shape is {colour}?",
            "what is {colour}?",
            "what shape is the {colour} one?",
            "which {noun} is {colour}?",
        ),
        "shape_it": ("what shape is it?", "and what shape is it?", "which shape is it?"),
        "describe": (
            "describe the {picture}.",
            "describe the {picture}.",
            "describe this {picture}.",
            "describe it.",
            "describe what you see.",
            "what do you see?",
            "what do you see?",
            "what do you see in the {picture}?",
            "what can you see?",
            "what can you see in this {picture}?",
            "what is this?",
            "what is this?",
            "what is it?",
            "what is that?",
            "what is in the {picture}?",
            "what is in this {picture}?",
            "what is on the {picture}?",
            "what is shown?",
            "what is shown here?",
            "what is in here?",
            "what is there?",
            "what is shown in the {picture}?",
            "what does the {picture} show?",
            "what does this {picture} show?",
            "what are you seeing?",
            "tell me about the {picture}.",
            "tell me what you see.",
            "which {noun}s are there?",
            "what {noun}s do you see?",
            "what {noun}s are in the {picture}?",
            "list the {noun}s.",
            "name the {noun}s.",
            "explain the {picture}.",
        ),
        "read": (
            "what does it say?",
            "what does the {picture} say?",
            "what is written?",
            "what is written here?",
            "what is written in the {picture}?",
            "what is the text?",
            "what text is in the {picture}?",
            "read the text.",
            "read it.",
            "read the {picture}.",
            "can you read it?",
            "what do you read?",
            "what {what} is it?",
            "what {what} is this?",
            "which {what} is this?",
            "what {what} do you see?",
            "which {what} is written?",
            "what {what} is written?",
            "what is the {what}?",
            "read the {what}.",
        ),
        "text_kind": ("is it a number or a word?", "is it a word or a number?"),
        "text_colour": (
            "what colour is the text?",
            "what colour is the {what}?",
            "which colour is the {what}?",
            "what is the colour of the {what}?",
            "what is the colour of the text?",
            "what colour is it?",
        ),
        "box": (
            "locate the {the}.",
            "locate the {the}.",
            "locate the {the} in the {picture}.",
            "find the {the}.",
            "detect the {the}.",
            "give me the bounding box of the {the}.",
            "give the box of the {the}.",
            "draw a box around the {the}.",
            "what is the bounding box of the {the}?",
            "ground the {the}.",
        ),
        "box_all": (
            "locate all {noun}s.",
            "locate every {noun}.",
            "find all {noun}s.",
            "detect all {noun}s.",
        ),
        "and_target": ("and the {the}?", "what about the {the}?", "and {the}?"),
        "and_many": ("and how many {many}?", "and {many}?", "how about {many}?"),
        "first": (
            "what did I ask first?",
            "what was my first question?",
            "what did I ask you first?",
            "repeat my first question.",
            "which question did I ask first?",
            "what was the first question?",
        ),
    },
    answers={
        "count": "{number}.",
        "colour": "{Colour}.",
        "where": "At the {place}.",
        "where_middle": "In the middle.",
        "what_at": "{One}.",
        "nothing": "Nothing.",
        "yes": "Yes.",
        "no": "No.",
        "absent": "There is no {the}.",
        "no_text": "There is no text.",
        "read": "It says {text}.",
        "number": "A number.",
        "word": "A word.",
        "empty": "An empty picture.",
        "number_in": "The number {text} in {colour}.",
        "word_in": "The word {text} in {colour}.",
        "thing_at": "{one} at the {place}",
        "thing_middle": "{one} in the middle",
        "comma": ", ",
        "and": " and ",
        "stop": ".",
        "first": "You asked: {question}",
    },
    numbers=("Zero", "One", "Two", "Three", "Four"),
    shapes={shape: shape for shape in SHAPES},
    colours={colour: colour for colour in COLOURS},
    places={place: place for place in PLACES},
)

CHINESE: Final = Language(
    code="zh",
    questions={
        "count": (
            "有几个{many}？",
            "图中有几个{many}？",
            "图里有多少个{many}？",
            "有多少个{many}？",
        ),
        "colour": ("{shape}是什么颜色？", "{shape}是什么颜色的？", "{shape}的颜色是什么？"),
        "colour_it": ("它是什么颜色？", "什么颜色？"),
        "where": ("{the}在哪里？", "{the}在哪儿？", "{the}在什么位置？"),
        "where_it": ("它在哪里？", "在哪里？"),
        "what_at": ("{place}是什么？", "{place}有什么？"),
        "what_middle": ("中间是什么？", "中间有什么？"),
        "exist": ("有{one}吗？", "图中有{one}吗？", "有没有{one}？"),
        "is_colour": ("{shape}是{colour}的吗？", "{shape}是{colour}吗？"),
        "describe": (
            "描述这张图片。",
            "描述一下图片。",
            "请描述图片。",
            "这是什么？",
            "图里有什么？",
            "图片里有什么？",
            "你看到了什么？",
            "你看到什么？",
        ),
        "read": ("图片上写了什么？", "写的是什么？", "图中的文字是什么？", "上面写着什么？"),
        "text_colour": ("文字是什么颜色？", "字是什么颜色的？"),
    },
    answers={
        "count": "{number}个。",
        "colour": "{colour}。",
        "where": "在{place}。",
        "where_middle": "在中间。",
        "what_at": "{one}。",
        "nothing": "什么都没有。",
        "yes": "有。",
        "no": "没有。",
        "is": "是。",
        "is_not": "不是。",
        "absent": "没有{the}。",
        "no_text": "没有文字。",
        "read": "写的是{text}。",
        "empty": "一张空白的图片。",
        "number_in": "{colour}的数字{text}。",
        "word_in": "{colour}的单词{text}。",
        "thing_at": "{place}有{one}",
        "thing_middle": "中间有{one}",
        "comma": "，",
        "and": "，",
        "stop": "。",
    },
    numbers=("零", "一", "两", "三", "四"),
    shapes=dict(zip(SHAPES, ("圆形", "正方形", "三角形", "星形", "圆环", "十字"), strict=True)),
    colours=dict(
        zip(COLOURS, ("红色", "绿色", "蓝色", "黄色", "紫色", "橙色", "黑色", "粉色"), strict=True)
    ),
    places=dict(zip(PLACES, ("左上角", "右上角", "左下角", "右下角", "中间"), strict=True)),
)
