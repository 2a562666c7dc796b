"""The colours of the page, once for a light and once for a dark ground, for the style sheet, the figures and the tests.

Series colours start from those of Okabe and Ito ("Color Universal Design", 2008), with lightness moved apart so that
the first three differ to every kind of colour vision, and each stands out at 3:1 or more from its ground. Shape and
dash carry the same information again: colour is never the only sign.
"""

LIGHT = {
    "paper": "#faf7f0",
    "card": "#fffdf8",
    "ink": "#1f1c18",
    "quiet": "#665f55",
    "rule": "#d9d2c3",
    "accent": "#a8320e",
    "right": "#1d6b4f",
    "wrong": "#a8320e",
    "series-0": "#083f80",
    "series-1": "#cc4e0c",
    "series-2": "#048a69",
    "series-3": "#a45cb8",
    "series-4": "#7d6200",
    "series-5": "#c23a74",
    "series-6": "#55514a",
    "series-7": "#2583b8",
    "cell-empty": "#f2ede1",
    "cell-full": "#0d2f5e",
    "cell-ink-low": "#000000",
    "cell-ink-high": "#ffffff",
}

DARK = {
    "paper": "#14161b",
    "card": "#1c1f26",
    "ink": "#ece8df",
    "quiet": "#a8a396",
    "rule": "#373b45",
    "accent": "#ff9f73",
    "right": "#7aeac2",
    "wrong": "#ff9f73",
    "series-0": "#4f9cf0",
    "series-1": "#ff9a62",
    "series-2": "#7aeac2",
    "series-3": "#b98cff",
    "series-4": "#e3c04a",
    "series-5": "#ff8fb8",
    "series-6": "#b5b0a6",
    "series-7": "#a6dcff",
    "cell-empty": "#1d2129",
    "cell-full": "#84bdf0",
    "cell-ink-low": "#ffffff",
    "cell-ink-high": "#000000",
}

NAMES = tuple(LIGHT)
NUM_SERIES = sum(name.startswith("series-") for name in NAMES)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
MARKER_PATHS = (
    "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11z",
    "M3 3h10v10H3z",
    "M8 2l6 11.5H2z",
    "M8 1.5l6.5 6.5L8 14.5 1.5 8z",
    "M8 14L2 2.5h12z",
    "M6 2h4v4h4v4h-4v4H6v-4H2V6h4z",
    "M4.5 2L8 5.5 11.5 2 14 4.5 10.5 8 14 11.5 11.5 14 8 10.5 4.5 14 2 11.5 5.5 8 2 4.5z",
    "M8 2l6 4.5-2.3 7H4.3L2 6.5z",
)
"""The same shapes as SVG paths in a box of 16 by 16, for keys beside text."""
DASHES = ("solid", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
INK_CHANGES_AT = 0.6
"""The level of a confusion cell, 0 to 1, from which its number is written in the other ink: there both reach 4.5:1."""


def series(position: int) -> str:
    """The colour name of the model at `position` in the comparison; after eight models the colours start again."""
    return f"series-{position % NUM_SERIES}"


def css_variables(colours: dict[str, str]) -> str:
    """`--ink: #1f1c18; ...` for a style sheet."""
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
