"""What a verdict depends on, in sentences: the seeds that have finished, and what would settle a tie."""

from collections.abc import Sequence

from fittingroom.core.records import CandidateSummary, ComparisonRecord, Difference
from fittingroom.evaluation.metric import Metric

SMALL_CHANCE = 0.2
"""Below this probability, unlimited seeds are said not to settle a tie."""


def planned_runs(record: ComparisonRecord, candidate: str) -> int:
    """How many seeds the comparison planned for a candidate. Imported predictions have no plan: all of them are there."""
    rows = sum(row.candidate == candidate for row in record.runs)
    planned = rows if record.budget.kind == "none" else max(rows, len(record.seeds))
    return planned // record.data.facts.get("folds", 1)


def unit(record: ComparisonRecord) -> str:
    """What one seed of a model needs to finish: a run, or a cross-validation of several runs."""
    return "cross-validation" if record.data.facts.get("folds") else "run"


def seeds_text(candidates: Sequence[CandidateSummary]) -> str:
    """'3 seeds', '1 of 3 seeds' or, where the candidates differ, '1 to 3 of 3 seeds'."""
    done = sorted({each.num_runs for each in candidates})
    number = str(done[0]) if len(done) == 1 else f"{done[0]} to {done[-1]}"
    planned = max(_planned(each) for each in candidates)
    if any(each.num_runs < _planned(each) for each in candidates):
        number = f"{number} of {planned}"
    return f"{number} seed{'' if number == '1' or planned == 1 else 's'}"


def missing_text(candidates: Sequence[CandidateSummary], unit: str = "run") -> str:
    """'Only 4 of 6 runs have finished (seeds: CNN 2 of 3, ViT 2 of 3).' Empty if all have."""
    incomplete = [each for each in candidates if each.num_runs < _planned(each)]
    if not incomplete:
        return ""
    done, planned = sum(each.num_runs for each in candidates), sum(map(_planned, candidates))
    listed = ", ".join(f"{each.title} {each.num_runs} of {_planned(each)}" for each in incomplete)
    failed = sum(each.num_failed for each in candidates)
    failures = f"; {failed} {'run' if failed == 1 else 'runs'} failed" if failed else ""
    return f"Only {done} of {planned} {unit}s have finished (seeds: {listed}){failures}."


def missing_mark(candidates: Sequence[CandidateSummary], unit: str = "run") -> str:
    """The same for a headline: ' (1 of 3 seeds)' or, where the candidates differ, ' (4 of 6 runs)'."""
    if not missing_text(candidates):
        return ""
    shares = {(each.num_runs, _planned(each)) for each in candidates}
    if len(shares) == 1:
        (done, planned), what = next(iter(shares)), "seeds"
    else:
        done, planned = sum(each.num_runs for each in candidates), sum(map(_planned, candidates))
        what = f"{unit}s"
    return f" ({done} of {planned} {what})"


def outlook_texts(ties: Sequence[tuple[str, Difference]], metric: Metric, num_items: str) -> list[str]:
    """What would settle each tie, one sentence for all pairs that it fits.

    `ties` names the models of each pair, such as 'CNN and Hybrid'. `num_items` is '10,000 test images' or the like.
    """
    found: dict[str, list[str]] = {}
    for pair, difference in ties:
        found.setdefault(_outlook_text(difference, metric, num_items), []).append(pair)
    return [f"{', '.join(pairs)}: {text}." for text, pairs in found.items()]


def _outlook_text(difference: Difference, metric: Metric, num_items: str) -> str:
    found = difference.outlook
    if found is None:
        return "one seed each says nothing about other seeds; train two or more to learn what would settle it"
    if found.images_limit and found.chance > SMALL_CHANCE:
        return f"even unlimited seeds would not settle it with a probability of 80 %; the {num_items} are the limit"
    if found.images_limit:
        gap = f"a gap under {metric.number(found.least_gap)} {metric.points[1]}".strip()
        gap = "any gap" if found.least_gap >= metric.largest else gap
        return f"no number of seeds will settle it; the {num_items} are the limit (they cannot show {gap})"
    if found.more_seeds is None:
        return "over 100 more seeds would be needed to settle it with a probability of 80 %"
    seeds = "1 more seed" if found.more_seeds == 1 else f"{found.more_seeds} more seeds"
    return f"{seeds} per model would settle it, with a probability of 80 %"


def outlook_mark(ties: Sequence[Difference]) -> str:
    """The same for a headline about several ties: '4 more seeds would settle it'. Empty where seeds have nothing to say."""
    found = [each.outlook for each in ties if each.outlook is not None]
    if not found or len(found) < len(ties):
        return ""
    limited = [each.chance for each in found if each.images_limit]
    if limited:
        return f"the test set {'is' if min(limited) <= SMALL_CHANCE else 'may be'} too small to settle it"
    if any(each.more_seeds is None for each in found):
        return "over 100 more seeds would be needed"
    most = max(each.more_seeds or 0 for each in found)
    return f"{most} more {'seed' if most == 1 else 'seeds'} would settle it"


def _planned(candidate: CandidateSummary) -> int:
    return candidate.num_runs if candidate.num_planned is None else candidate.num_planned
