"""The words of the test part, the most instructive first. Each shows what every model wrote and where that is wrong.

For a model with several seeds the answer is the one that most of its seeds gave; of equally frequent ones, the most
confident. First come words that some models get right and others wrong, then words that all get wrong, then words that all
get right. Within each group the most confident wrong answer, over all seeds, comes first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from fittingroom.data.seq2seq.compact import Target
from fittingroom.data.seq2seq.vocabulary import UNKNOWN
from fittingroom.evaluation.error_rates import alignment, edit_distance
from fittingroom.report import numbers
from fittingroom.report.gallery import Filter, Named
from fittingroom.tasks.seq2seq.scoring import SequencePredictions

MOST_WORDS = 8_000
"""More test words than that do not all fit on the page."""
SHOWN_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
MarkKind = Literal["same", "other", "more", "less"]


class _Given(NamedTuple):
    """The answer that most seeds of a model gave, its probability (mean over those), how many they are, and all seeds."""

    symbols: Target
    probability: float
    num_agreed: int
    num_seeds: int


Answers = Mapping[str, Mapping[int, SequencePredictions]]
"""By model and seed, what was written for the test words."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A symbol of an answer: right, in place of another (`wanted`), one too many, or missing."""

    kind: MarkKind
    symbol: str
    wanted: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one model wrote: `place` is its position in the comparison, `probability` what it gave to all of it."""

    place: int
    title: str
    symbols: Target
    marks: tuple[Mark, ...]
    right: bool
    probability: float
    num_agreed: int
    num_seeds: int

    @property
    def seeds(self) -> str:
        """'2 of 3 seeds', or nothing where the model has one."""
        return f"{self.num_agreed} of {self.num_seeds} seeds" if self.num_seeds > 1 else ""

    @property
    def sureness(self) -> float:
        """The probability over all seeds; seeds that wrote something else count as 0."""
        return self.probability * self.num_agreed / self.num_seeds

    @property
    def percent(self) -> str:
        """The probability as it is shown."""
        return numbers.probability(self.probability)


@dataclass(frozen=True, kw_only=True)
class WordCard:
    """A word, its right answers, and the models' answers in their order."""

    word: str
    truths: tuple[str, ...]
    answers: tuple[Answer, ...]

    @property
    def tags(self) -> str:
        """For the page's filter: 'all'; if some model is wrong also 'errors' and the positions of the models that are right.

        'none' in place of positions where no model is right.
        """
        if all(answer.right for answer in self.answers):
            return "all"
        right = [str(answer.place) for answer in self.answers if answer.right] or ["none"]
        return " ".join(["all", "errors", *right])


def word_cards(answers: Answers, models: Sequence[Named]) -> list[WordCard]:
    """A card for each test word, the most instructive first; at most `MOST_WORDS`. No words where no run has finished."""
    opinions = [
        (place, model.title, _agreed(answers[model.name]))
        for place, model in enumerate(models)
        if model.name in answers
    ]
    if not opinions:
        return []
    words = next(iter(next(iter(answers.values())).values()))
    found = []
    for number, (word, references) in enumerate(zip(words.sources, words.references, strict=True)):
        given = tuple(_answer(place, title, chosen[number], references) for place, title, chosen in opinions)
        found.append(WordCard(word=word, truths=tuple(map(" ".join, references)), answers=given))
    return sorted(found, key=_rank)[:MOST_WORDS]


def word_filters(cards: Sequence[WordCard], models: Sequence[Named]) -> list[Filter]:
    """'With an error', who is right where another is not, 'No model is right', 'All words'; empty ones are left out."""
    places = sorted({answer.place for card in cards for answer in card.answers})
    choices = [("errors", "With an error")]
    if len(places) == 2:
        first, second = (models[place].title for place in places)
        choices += [
            (str(places[0]), f"{first} right, {second} wrong"),
            (str(places[1]), f"{second} right, {first} wrong"),
        ]
    elif len(places) > 2:
        choices += [(str(place), f"{models[place].title} is right") for place in places]
    choices += [("none", "No model is right")] if len(places) > 1 else []
    choices += [("all", "All words")]
    tags = [card.tags.split() for card in cards]
    counted = [Filter(value=value, text=text, number=sum(value in own for own in tags)) for value, text in choices]
    return [choice for choice in counted if choice.number]


def _agreed(runs: Mapping[int, SequencePredictions]) -> list[_Given]:
    """For each word, the answer that most seeds gave."""
    of_seeds = list(runs.values())
    probabilities = np.exp(np.minimum(0, np.stack([found.log_probs for found in of_seeds])))
    agreed = []
    for word, given in enumerate(zip(*(found.predicted for found in of_seeds), strict=True)):
        of_answer: dict[Target, list[float]] = {}
        for symbols, probability in zip(given, probabilities[:, word].tolist(), strict=True):
            of_answer.setdefault(symbols, []).append(probability)
        symbols, found = max(of_answer.items(), key=lambda item: (len(item[1]), sum(item[1])))
        agreed.append(_Given(symbols, sum(found) / len(found), len(found), len(of_seeds)))
    return agreed


def _answer(place: int, title: str, given: _Given, references: Sequence[Target]) -> Answer:
    symbols = given.symbols
    closest = min(references, key=lambda reference: edit_distance(reference, symbols))
    return Answer(
        place=place,
        title=title,
        symbols=symbols,
        marks=tuple(marks(closest, symbols)),
        right=symbols in references,
        probability=given.probability,
        num_agreed=given.num_agreed,
        num_seeds=given.num_seeds,
    )


def marks(reference: Target, written: Target) -> list[Mark]:
    """What was written, symbol by symbol, aligned with the reference; missing symbols in their places."""
    if reference == written:
        return [Mark(kind="same", symbol=symbol) for symbol in written]
    found = []
    for wanted, symbol in alignment(reference, written):
        wanted, symbol = (None if each is None else shown(str(each)) for each in (wanted, symbol))
        if symbol is None:
            found.append(Mark(kind="less", symbol=wanted or ""))
        elif wanted is None:
            found.append(Mark(kind="more", symbol=symbol))
        else:
            found.append(Mark(kind="same" if symbol == wanted else "other", symbol=symbol, wanted=wanted))
    return found


def shown(symbol: str) -> str:
    """The symbol, or a replacement sign for the unknown symbol, which a model may write."""
    return SHOWN_UNKNOWN if symbol == UNKNOWN else symbol


def _rank(card: WordCard) -> tuple[int, float, str]:
    wrong = [answer.sureness for answer in card.answers if not answer.right]
    group = 2 if not wrong else int(len(wrong) == len(card.answers))
    return group, -max(wrong, default=0), card.word
