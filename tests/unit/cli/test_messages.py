"""The lines that commands print about their results."""

from fittingroom.cli.messages import _unknown


def test_words_that_were_read_in_another_way_are_counted() -> None:
    extras = {"num_unknown": 2.0, "num_read_as_known": 1_300.0}
    assert _unknown(extras) == " (2 unknown symbols, 1,300 words read with look-alike symbols)"
    assert _unknown({"num_unknown": 0.0}) == "" == _unknown({})
