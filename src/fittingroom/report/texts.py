"""The page's sentences where images and words differ."""

from fittingroom.comparison.metrics import IMAGES, PAIRS

TEXTS: dict[str, dict[str, str]] = {
    IMAGES: {
        "items": "images",
        "glance": "Test accuracy at a glance",
        "tags": "Test accuracy",
        "scores": "Accuracies are percent",
        "costs": "Multiply-adds are those of one image; time, speed and memory are those of training.",
        "cost_title": "What accuracy costs",
        "cost_reading": "Higher is better, further left is cheaper",
        "cost_speed": "; of images per second, more is better",
        "cost_end": "",
        "differences": "",
        "together": "All the intervals hold",
    },
    PAIRS: {
        "items": "words",
        "glance": "Test word error rate at a glance",
        "tags": "Share of the test words written wrongly (fewer is better)",
        "scores": "Error rates are percent",
        "costs": "A word is wrong unless it equals one of its right answers. Phoneme errors are phonemes exchanged, left out "
        "or added, per phoneme of the closest right answer. Multiply-adds are those of one word of typical length; time, pairs "
        "per second and memory are those of training, words per second those of writing the test words.",
        "cost_title": "What fewer errors cost",
        "cost_reading": "Lower is better, further left is cheaper; of words",
        "cost_speed": " and pairs",
        "cost_end": " per second, more is better",
        "differences": " A difference is how many more errors the first of the two makes.",
        "together": "The intervals of each figure hold",
    },
}
