"""Questions and answers of the demo world: right for their scene, in both languages."""

import json
import random
from collections import Counter

import pytest

from inference.demo import REFUSAL
from inference.demo.drawing import Drawn, Scene, draw_scene
from inference.demo.languages import CHINESE, ENGLISH
from inference.demo.questions import (
    ask,
    ask_box,
    ask_colour,
    ask_count,
    ask_first,
    ask_where,
    box_units,
    describe,
    follow_up,
)
from inference.demo.small_talk import HELD_OUT, small_talk

CIRCLE = Drawn("circle", "red", "top left", (0.1, 0.1, 0.4, 0.4))
SQUARE = Drawn("square", "orange", "bottom right", (0.6, 0.6, 0.9, 0.9))
TWO = Scene("shapes", (128, 128), things=(CIRCLE, SQUARE))
ONE = Scene("shapes", (128, 128), things=(Drawn("star", "blue", "middle", (0.2, 0.2, 0.8, 0.8)),))
WORD = Scene("text", (128, 128), text="cat", text_colour="green")


@pytest.mark.parametrize(
    ("scene", "english", "chinese"),
    [
        pytest.param(
            TWO,
            "A red circle at the top left and an orange square at the bottom right.",
            "左上角有红色的圆形，右下角有橙色的正方形。",
            id="two",
        ),
        pytest.param(ONE, "A blue star in the middle.", "中间有蓝色的星形。", id="middle"),
        pytest.param(WORD, "The word cat in green.", "绿色的单词cat。", id="word"),
        pytest.param(Scene("empty", (96, 96)), "An empty picture.", "一张空白的图片。", id="empty"),
    ],
)
def test_description_names_everything_in_reading_order(
    scene: Scene, english: str, chinese: str
) -> None:
    assert describe(scene, ENGLISH) == english
    assert describe(scene, CHINESE) == chinese


def test_count_matches_what_is_counted() -> None:
    turns = [ask_count(random.Random(n), TWO, ENGLISH) for n in range(200)]
    asked = [(turn.question.lower(), turn.answer) for turn in turns if turn]

    assert {answer for question, answer in asked if "circles" in question} == {"One.", "Zero."}
    assert {answer for question, answer in asked if "many shapes" in question} == {"Two."}


def test_absent_shape_is_said_to_be_absent() -> None:
    turns = [ask_colour(random.Random(n), TWO, ENGLISH) for n in range(80)]
    absent = [turn for turn in turns if turn and "star" in turn.question]

    assert {turn.answer for turn in absent} == {"There is no star."}


def test_ambiguous_colour_is_not_asked_for() -> None:
    twins = Scene(
        "shapes", (128, 128), things=(CIRCLE, Drawn("circle", "blue", "top right", CIRCLE.box))
    )
    turns = [ask_colour(random.Random(n), twins, ENGLISH) for n in range(60)]

    assert not any(turn and "circle" in turn.question for turn in turns)


def test_box_answer_is_fenced_json_in_thousandths() -> None:
    turns = [ask_box(random.Random(n), TWO, ENGLISH) for n in range(80)]
    answer = next(t.answer for t in turns if t and t.about == CIRCLE)

    assert answer.startswith("```json\n")
    assert answer.endswith("\n```")
    assert json.loads(answer[8:-4]) == [{"bbox_2d": [100, 100, 400, 400], "label": "red circle"}]


def test_box_units_stay_within_the_picture() -> None:
    assert box_units((-0.01, 0.004, 0.996, 1.2)) == [0, 0, 1000, 1000]


def test_anything_about_a_photograph_is_refused() -> None:
    scene, _ = draw_scene(1, 1, kind="photo")

    assert {ask(random.Random(n), scene, ENGLISH).answer for n in range(20)} == {REFUSAL}


def test_follow_up_is_about_the_shape_named_before() -> None:
    first = next(
        t for t in (ask_where(random.Random(n), ONE, ENGLISH) for n in range(99)) if t and t.about
    )
    turns = [follow_up(random.Random(n), ONE, ENGLISH, first) for n in range(40)]

    answers = {t.answer for t in turns if t and t.question.lower().startswith("and what colo")}
    assert answers == {"Blue."}


def test_first_question_is_repeated_as_it_was_asked() -> None:
    assert ask_first(random.Random(1), "What is this?").answer == "You asked: What is this?"


def test_spelling_case_and_closing_mark_vary() -> None:
    questions = [
        turn.question for n in range(300) if (turn := ask_colour(random.Random(n), ONE, ENGLISH))
    ]

    seen: Counter[str] = Counter()
    for question in questions:
        seen["color"] += "color" in question
        seen["colour"] += "colour" in question
        seen["capital"] += question[0].isupper()
        seen["mark"] += question.endswith("?")
    assert all(20 < seen[name] < len(questions) for name in ("color", "colour", "capital", "mark"))


def test_small_talk_of_training_leaves_the_held_out_sentences_alone() -> None:
    rng = random.Random(7)
    said = {small_talk(rng).lower().rstrip("?.!") for _ in range(5000)}

    assert not said & {sentence.lower().rstrip("?.!") for sentence in HELD_OUT}
