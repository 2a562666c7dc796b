"""The page's headings and sentences that depend on the task: all from its `Scoring`, none for a task by name."""

from typing import Any

from fittingroom.core.text import sentence_case
from fittingroom.evaluation.metric import Metric
from fittingroom.tasks.scoring import Scoring


def texts(scoring: Scoring[Any]) -> dict[str, str]:
    """What the template shows under these names."""
    metric = scoring.metrics[0]
    title, better = metric.title, "higher" if metric.higher_is_better else "lower"
    units = {each.unit for each in scoring.metrics}
    return {
        "items": scoring.items,
        "item": scoring.item,
        "unit": metric.unit,
        "tags": f"Test {title}" if metric.higher_is_better else f"Test {title} (lower is better)",
        "scores": "Scores are in percent" if units == {"%"} else "Scores are",
        "counting": scoring.counting,
        "costs": f"Multiply-adds count one forward pass for one {scoring.item}. Time, memory and {scoring.batch_items} "
        "per second are for training.",
        "cost_title": f"{sentence_case(title) if metric.higher_is_better else 'Errors'} against cost",
        "cost_reading": f"{better.capitalize()} is better.",
        "differences": ""
        if metric.higher_is_better
        else " Each difference is the error of the first model minus the error of the second.",
    }


def in_unit(text: str, metric: Metric) -> str:
    """'Test accuracy (%)', or the text alone where the metric has no unit."""
    return f"{text} ({metric.unit})" if metric.unit else text
