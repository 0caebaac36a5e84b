"""Things people say that are outside the demo world, each answered by the one refusal.

Sentences come from hand-written templates and from runs of words of English prose that every
Python carries (pydoc's help topics), so that the model learns to refuse words it does not know.
HELD_OUT is never used in training.
"""

import random
import re
from functools import cache
from pydoc_data.topics import topics
from typing import Final

_OPEN: Final = (
    "hello",
    "hello there",
    "hi",
    "hi!",
    "hey",
    "good evening",
    "good night",
    "thanks",
    "thank you very much",
    "great",
    "cool",
    "nice",
    "ok",
    "okay",
    "yes",
    "no",
    "why?",
    "why not?",
    "what?",
    "really?",
    "are you sure?",
    "how are you today?",
    "how do you do?",
    "how old are you?",
    "what are you?",
    "who are you?",
    "who made you?",
    "what is your age?",
    "what do you like?",
    "what can you do?",
    "help",
    "help me",
    "are you a robot?",
    "are you real?",
    "do you like me?",
    "I like you",
    "I am tired",
    "tell me something",
    "tell me a story",
    "sing a song",
    "what time is it?",
    "what day is it?",
    "where are you?",
    "where do you live?",
    "where am I?",
    "when were you made?",
    "test",
    "bye",
    "see you",
    "stop",
    "go on",
    "continue",
    "你好",
    "你是谁？",
    "谢谢",
    "再见",
    "今天天气怎么样？",
    "讲个笑话",
    "你几岁了？",
)
_TEMPLATES: Final = (
    "what is {a}?",
    "what is the {a}?",
    "what is the {a} of the {b}?",
    "what is the best {a}?",
    "who is the {a} of {b}?",
    "who is {a}?",
    "where is the {a}?",
    "where is {a}?",
    "where can I buy {a}?",
    "why is the {a} {b}?",
    "why do {a} {b}?",
    "when is {a}?",
    "how do I {a} the {b}?",
    "how does {a} work?",
    "how many {a} are there?",
    "how many {a} are there in the {b}?",
    "how much is a {a}?",
    "how big is the {a}?",
    "is there a {a}?",
    "is there a {a} in the picture?",
    "is the {a} {b}?",
    "do you see the {a}?",
    "do you like {a}?",
    "do you know {a}?",
    "can you {a}?",
    "can you see a {a}?",
    "what colour is the {a}?",
    "what color is the {a}?",
    "what colour is {a}?",
    "describe the {a}.",
    "describe your {a}.",
    "locate the {a}.",
    "find the {a}.",
    "read the {a}.",
    "count the {a}.",
    "write a {a} about {b}.",
    "write {a} code.",
    "translate {a} into {b}.",
    "tell me a {a}.",
    "tell me about {a}.",
    "tell me about the {a} of {b}.",
    "explain {a}.",
    "I {a} the {b}.",
    "my {a} is {b}.",
    "{a} and {b}",
    "{a}",
    "{a} {b}",
    "{n} plus {m}",
    "what is {n} + {m}?",
    "what is {n} times {m}?",
    "calculate {n} * {m}.",
    "is {n} larger than {m}?",
)
# fmt: off
_NOUNS: Final = (
    "weather", "president", "capital", "money", "music", "movie", "football", "doctor", "school",
    "computer", "phone", "garden", "mountain", "river", "ocean", "river", "summer", "winter",
    "breakfast", "dinner", "coffee", "bread", "cheese", "apple", "banana", "people", "person",
    "man", "woman", "child", "baby", "animal", "horse", "elephant", "lion", "mouse", "rabbit",
    "cow", "pig", "sheep", "window", "wall", "table", "chair", "bed", "bottle", "plate", "knife",
    "city", "street", "building", "house", "bridge", "car", "train", "plane", "road", "sky",
    "cloud", "grass", "flower", "hand", "face", "hair", "eye", "shirt", "shoe", "politics",
    "history", "science", "Germany", "America", "Africa", "Europe", "China", "London", "Tokyo",
    "Italy", "Monday", "Friday", "poem", "joke", "email", "letter", "recipe", "essay", "python",
    "java", "program", "function", "answer", "question", "love", "life", "death", "dream", "idea",
    "problem", "game", "team", "king", "queen", "soldier", "teacher", "student", "friend",
    "mother", "brother", "family", "party", "holiday", "rectangle", "hexagon", "heart", "arrow",
    "line", "dot", "oval", "cube", "sphere", "polygon", "white", "brown", "grey", "silver",
    "gold",
)
# fmt: on
HELD_OUT: Final = (
    "how are you?",
    "Good morning!",
    "thank you",
    "what is your name?",
    "tell me a joke",
    "who won the world cup?",
    "what's the weather like tomorrow?",
    "What is the capital of France?",
    "write me a python function that sorts a list",
    "translate this into spanish",
    "do you dream?",
    "I feel sad today",
    "what is 12 + 30?",
    "how far is it to the airport?",
    "recommend a good restaurant",
    "Explain quantum mechanics to me.",
    "are there any trains to Berlin tonight?",
    "how many people live in India?",
    "what colour is the ocean?",
    "is there a zebra?",
    "what is the meaning of life?",
    "can you cook?",
    "please summarise the following article",
    "where is my wallet?",
    "who painted the Mona Lisa?",
    "sorry, I have to leave now",
    "nice to meet you",
    "how do volcanoes work?",
    "what is the best programming language?",
    "give me a recipe for pancakes",
    "你叫什么名字？",
    "早上好",
    "lorem ipsum dolor sit amet",
    "how tall is the tower?",
    "should I buy a new laptop?",
    "play some jazz",
    "which stocks will rise?",
    "Is it going to rain?",
    "let's talk about football",
    "when was Napoleon born?",
)


@cache
def prose() -> tuple[str, ...]:
    """Words of the standard library's help texts, in their order."""
    text = " ".join(topics[name] for name in sorted(topics))
    return tuple(re.findall(r"[A-Za-z][A-Za-z'-]{1,13}[,.?]?", text))


def _word(rng: random.Random) -> str:
    if rng.random() < 0.55:
        return rng.choice(_NOUNS)
    return rng.choice(prose()).rstrip(",.?").lower()


def small_talk(rng: random.Random) -> str:
    """One training sentence from outside the demo world."""
    roll = rng.random()
    if roll < 0.25:
        text = rng.choice(_OPEN)
    elif roll < 0.75:
        slots = {"a": _word(rng), "b": _word(rng)}
        numbers = {"n": str(rng.randint(0, 999)), "m": str(rng.randint(0, 99))}
        text = rng.choice(_TEMPLATES).format(**slots, **numbers)
    else:
        words, length = prose(), rng.randint(2, 11)
        start = rng.randrange(len(words) - length)
        text = " ".join(words[start : start + length]) + rng.choice(("", "", "?", ".", "!"))
    if rng.random() < 0.25:
        text = text.rstrip("?.!")
    return text[0].upper() + text[1:] if rng.random() < 0.55 else text
