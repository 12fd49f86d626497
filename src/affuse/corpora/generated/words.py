"""Sentences from a small grammar, worded for what the text shows."""

from __future__ import annotations

import numpy as np

# Topics are shared by all displays, so they show nothing.
_TOPICS = (
    "the car", "the house", "my brother", "the wedding", "the new job", "this letter", "the airport", "your sister",
    "the bank", "the trip", "the dog", "our dinner", "the phone call", "my license", "the school", "the concert",
    "the beach", "your mother", "the luggage", "the movie", "the doctor", "my boss", "the party", "the apartment",
)  # fmt: skip
_OPENERS = {
    "neu": ("Okay.", "Well,", "So,", "Right.", "Um,", "I see."),
    "hap": ("Aw,", "Oh good.", "Yes, nice.", "Ha.", "That is lovely.", "I am glad."),
    "exc": ("Oh my god!", "Wow!", "Yes!", "Guess what!", "This is amazing!", "Woo!"),
    "ang": ("Damn it.", "Shut up.", "No! Enough.", "Are you kidding me?", "How dare you.", "Stop it."),
    "sad": ("I don't know.", "It hurts.", "Oh no.", "I'm so sorry.", "I can't stop crying.", "It's gone."),
    "fru": ("Come on.", "Again?", "Look,", "Seriously?", "Not this again.", "I give up."),
}
_CLAUSES = {
    "neu": (
        "I think {topic} is on Tuesday", "you can ask them about {topic}", "we talked about {topic} yesterday",
        "there is a form for {topic}", "I will look at {topic} after lunch", "{topic} is over there",
        "they changed the date of {topic}", "I put it next to {topic}",
    ),
    "hap": (
        "I really love {topic}", "I am so happy about {topic}", "we had a wonderful time with {topic}",
        "{topic} turned out beautifully", "it makes me smile to think of {topic}", "I enjoy {topic} so much",
        "everything went well with {topic}", "{topic} is just great",
    ),
    "exc": (
        "I can't wait for {topic}", "we won and they gave us {topic}", "{topic} is going to be incredible",
        "I got in, I finally got {topic}", "they said yes about {topic}", "it is the best news ever about {topic}",
        "I am thrilled about {topic}", "we are really doing {topic}",
    ),
    "ang": (
        "you lied to me about {topic}", "I am furious about {topic}", "don't you ever touch {topic}",
        "get out and leave {topic} alone", "I hate what you did to {topic}", "you ruined {topic}",
        "who the hell gave you {topic}", "I am sick of your excuses about {topic}",
    ),
    "sad": (
        "I miss {topic} every day", "I lost {topic} and I feel empty", "nothing is left without {topic}",
        "I cried all night because of {topic}", "I wish I could have saved {topic}", "it breaks my heart about {topic}",
        "I feel so alone since {topic}", "I will never see {topic} again",
    ),
    "fru": (
        "I already told you three times about {topic}", "nobody here can help me with {topic}",
        "it never works with {topic}", "I have been waiting for hours for {topic}",
        "why is {topic} always so complicated", "I keep explaining {topic} and you don't listen",
        "this makes no sense about {topic}", "I filled in the same form for {topic}",
    ),
}  # fmt: skip
_CLOSERS = {
    "neu": (", I guess.", ".", ", that is all.", ", as usual.", ", if you like."),
    "hap": (", it was so sweet.", ", I am really pleased.", ". [LAUGHTER]", ", thank you.", ", what a nice day."),
    "exc": ("! I am so excited!", "! Can you believe it!", "! It is awesome!", "! [LAUGHTER]", "! Yay!"),
    "ang": (", you idiot.", "! Get out!", ", I swear to god.", "! Don't lie to me!", ", this is outrageous."),
    "sad": (", and it hurts.", ". I am so sad. [SIGH]", ", I just want to cry.", ", it is hopeless.", ", I am sorry."),
    "fru": (", it is ridiculous.", ". I am tired of this.", ", what do you want from me?", ". [SIGH]"),
}  # fmt: skip


def sentence(display: str, rng: np.random.Generator) -> str:
    """One sentence whose wording shows ``display``."""

    def pick(choices: tuple[str, ...]) -> str:
        return choices[int(rng.integers(len(choices)))]

    clause = pick(_CLAUSES[display]).format(topic=pick(_TOPICS))
    opener = pick(_OPENERS[display]) + " " if rng.random() < 0.6 else ""
    closer = pick(_CLOSERS[display]) if rng.random() < 0.8 else "."
    if not opener or opener.rstrip().endswith((".", "!", "?")):
        clause = clause[0].upper() + clause[1:]
    return opener + clause + closer
