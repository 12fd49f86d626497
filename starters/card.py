"""The card of a starter: what it is made of, under which licences, and where its numbers are."""

from __future__ import annotations

from affuse.models.network import Model

_TEXT = """---
license: apache-2.0
library_name: affuse
pipeline_tag: audio-classification
tags: [affuse, emotion-recognition, audio, text]
---
# {name}

{description}

{tasks}

## How it was made

`make starter` trains both halves from the corpora, with fixed seeds, to the same bytes on one machine (`starters/`
of affuse's repository). Voice and words were trained apart: **no training clip had both**. Their probabilities are
averaged (late fusion). Gender is told by the voice alone; it is the corpus's annotation of the speaker.

- Voice: EmoDB's anger, happiness, sadness and neutral (339 clips of 10 actors), each with three or more copies in
  simulated rooms, microphones, noise and vocal tracts. Boredom, disgust and fear are left out: the edition at hand is
  not complete for them.
- Words: GoEmotions' training part, Ekman's six emotions and neutral. A comment with several labels counts once for
  each. Disgust, fear and surprise are left out where voice and words are joined.

## What its numbers are worth

docs/starter.md has them: on people and languages that it never heard, on corpora that nothing was trained on. EmoDB's
figures there are of held-out speakers.

Confidences of emotion are lowered for corpora that nobody has seen: their mean on held-out clips was set to chance plus
half of the accuracy above chance. Those of gender are fitted on held-out speakers as they are.

{unsure}

## Limits

Ten actors who speak German, and English comments from the internet: it names what such annotators would say, not what a
person feels. Not for decisions about people: hiring, work, school, policing, credit, health. Inferring emotions at work
or in education is prohibited in the European Union (Regulation 2024/1689, article 5).

## Licences

- these heads and affuse: Apache-2.0
- EmoDB (Burkhardt et al., Interspeech 2005): CC0 in audEERING's edition. The copy that the head was trained on is
  described as that corpus, freely available for research; none of its sound is in here.
- GoEmotions (Demszky et al., ACL 2020): CC BY 4.0. The head was trained on it; none of its text is in here.
- all-MiniLM-L6-v2, not in here (extra `minilm`): Apache-2.0
"""


def card(model: Model) -> str:
    """The text of README.md."""
    unsure = [
        f"An answer of {task} below {below:.2f} is called unsure."
        if (below := model.defaults.of_task(task).unsure_below)
        else f"No answer of {task} is called unsure."
        for task in model.label_spaces
    ]
    return _TEXT.format(
        name=model.recipe.name,
        description=model.recipe.description[:1].upper() + model.recipe.description[1:],
        tasks="\n".join(f"- **{task}**: {', '.join(space)}" for task, space in model.label_spaces.items()),
        unsure=" ".join(unsure),
    )
