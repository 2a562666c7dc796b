"""Sections for sequence models: frequent errors, the test words in a gallery that a script unpacks, and attention.

All cards are rendered here by one template. The first ones are in the page as they are. All of them are also in the page
deflated and in base64, so that thousands of words can be searched in a page of a few hundred kilobytes.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from fittingroom.core.records import CandidateSummary
from fittingroom.report.alignment import alignment_section, read_alignments
from fittingroom.report.assets import asset, environment
from fittingroom.report.load import Comparison
from fittingroom.report.sections.common import SECTIONS, Section
from fittingroom.report.word_gallery import WordCard, shown, word_cards, word_filters

NUM_STANDING = 24
"""Cards that are in the page itself, for readers without scripts."""
MAX_PACKED = 900_000
"""Characters of the packed cards. The least instructive words are left out beyond that."""


@SECTIONS.register("seq2seq")
def seq2seq_section(comparison: Comparison) -> Section:
    """Errors and words always; attention where the comparison's folder has it."""
    candidates, tests = comparison.summary.candidates, comparison.tests
    cards, packed = _packed(word_cards(tests, candidates))
    num_words = len(next(iter(next(iter(tests.values())).values())).sources) if tests else 0
    titles = [candidate.title for candidate in candidates]
    alignments = read_alignments(comparison.folder, comparison.names) if comparison.folder else None
    html = environment().get_template("words.html.jinja").render(
        word_cards=cards[:NUM_STANDING],
        filters=word_filters(cards, candidates),
        packed_words=packed,
        num_test_words=f"{num_words:,}",
        num_words_left_out=f"{num_words - len(cards):,}" if len(cards) < num_words else "",
        num_seeds=comparison.num_seeds,
        confused=_confused(candidates),
        alignment=alignment_section(alignments, titles) if alignments else None,
    )  # fmt: skip
    return Section(
        html=Markup(html),
        style=asset("words.css") + (asset("alignment.css") if alignments else ""),
        script=asset("words.js") + (asset("alignment.js") if alignments else ""),
    )


def _packed(cards: list[WordCard]) -> tuple[list[WordCard], str]:
    """As many cards as fit, and [word, tags, HTML] of each, deflated in base64."""
    card = environment().get_template("word_card.html.jinja").module.card  # pyright: ignore[reportAttributeAccessIssue]
    rows = [[each.word, each.tags, str(card(each))] for each in cards]
    while True:
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        if len(packed) <= MAX_PACKED:
            return cards[: len(rows)], packed
        rows = rows[: int(len(rows) * 0.95 * MAX_PACKED / len(packed))]


def _confused(candidates: Sequence[CandidateSummary]) -> list[dict[str, Any]]:
    """A table for each candidate that made an error: its frequent edits, each with its share of the most frequent one."""
    tables = []
    for place, candidate in enumerate(candidates):
        confusions = candidate.details.get("confusions")
        if confusions and confusions["most"]:
            most = confusions["most"]
            rows = [
                {
                    "wanted": shown(wanted or ""),
                    "written": shown(written or ""),
                    "count": f"{count:,}",
                    "share": round(100 * count / most[0][2]),
                }
                for wanted, written, count in most
            ]
            num_edits = f"{confusions['num_edits']:,}"
            tables.append({"place": place, "title": candidate.title, "num_edits": num_edits, "most": rows})
    return tables
