"""The parts of the page that only a comparison of words has: frequent edits, and the gallery that a script unpacks.

All cards are rendered here by one template. The first ones stand in the page as they are; all of them go deflated and in
base64 with it, so thousands of words can be searched in a page of some hundred kilobytes.
"""

import base64
import json
import zlib
from typing import Any

from jinja2 import Environment

from fittingroom.report.load import Comparison
from fittingroom.report.word_gallery import WordCard, shown, word_cards, word_filters

NUM_STANDING = 24
"""Cards that stand in the page itself, for those who run no script."""
MAX_PACKED = 900_000
"""Characters of the packed cards; the least instructive words are left out beyond that."""


def word_sections(comparison: Comparison, environment: Environment) -> dict[str, Any]:
    """What `words.html.jinja` needs. `word_cards` is None in a comparison of images."""
    if comparison.answers is None:
        return {"word_cards": None}
    models = comparison.summary["models"]
    cards, packed = _packed(word_cards(comparison.answers, models), environment)
    num_words = comparison.facts["data"]["num_test"] if not cards else _num_words(comparison)
    return {
        "word_cards": cards[:NUM_STANDING],
        "filters": word_filters(cards, models),
        "packed_words": packed,
        "num_test_words": f"{num_words:,}",
        "num_words_left_out": f"{num_words - len(cards):,}" if len(cards) < num_words else "",
        "confused": _confused(models),
    }


def _num_words(comparison: Comparison) -> int:
    assert comparison.answers
    return len(next(iter(next(iter(comparison.answers.values())).values())).sources)


def _packed(cards: list[WordCard], environment: Environment) -> tuple[list[WordCard], str]:
    """As many cards as may be, and [word, tags, HTML] of each, deflated in base64."""
    card = environment.get_template("word_card.html.jinja").module.card  # pyright: ignore[reportAttributeAccessIssue]
    rows = [[each.word, each.tags, str(card(each))] for each in cards]
    while True:
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        if len(packed) <= MAX_PACKED:
            return cards[: len(rows)], packed
        rows = rows[: int(len(rows) * 0.95 * MAX_PACKED / len(packed))]


def _confused(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A table for each model that made an error: its frequent edits, each with its share of the most frequent one."""
    tables = []
    for place, model in enumerate(models):
        if model["confusions"] and model["confusions"]["most"]:
            most = model["confusions"]["most"]
            rows = [
                {
                    "wanted": shown(wanted or ""),
                    "written": shown(written or ""),
                    "count": f"{count:,}",
                    "share": round(100 * count / most[0][2]),
                }
                for wanted, written, count in most
            ]
            num_edits = f"{model['confusions']['num_edits']:,}"
            tables.append({"place": place, "title": model["title"], "num_edits": num_edits, "most": rows})
    return tables
