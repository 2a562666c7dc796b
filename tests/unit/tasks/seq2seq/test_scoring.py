"""What a sequence model wrote is read as it was, counted correctly, and refused in one line where the file is bad."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.vocabulary import UNKNOWN
from fittingroom.evaluation.error_rates import error_rates
from fittingroom.tasks.scoring import SCORINGS
from fittingroom.tasks.seq2seq.scoring import SequencePredictions, read_pair_predictions, symbols


def arrays(**changes: Any) -> dict[str, Any]:
    """Three words: right by its second answer, two phonemes wrong of three, nothing written."""
    split = {
        "sources": np.array(["hello", "café", "x"]),
        "predicted": np.array(["HH EH L OW", "K AH P", ""]),
        "references": np.array(["HH AH L OW\tHH EH L OW", "K AE F", "EH K S"]),
        "log_probs": np.array([-0.1, -2, -3], dtype=np.float32),
    }
    both = {f"{part}_{name}": value for part in ("val", "test") for name, value in split.items()}
    return {name: value for name, value in (both | changes).items() if value is not None}


def read(folder: Path, **changes: Any) -> SequencePredictions:
    np.savez(folder / "predictions.npz", **arrays(**changes))
    return read_pair_predictions(folder)["test"]


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    found, scoring = read(tmp_path), SCORINGS.get("seq2seq")
    scoring.save(tmp_path / "again", {"val": found, "test": found})
    again = read_pair_predictions(tmp_path / "again")
    assert (again["test"].sources, again["test"].predicted) == (found.sources, found.predicted)
    assert again["val"].references == found.references
    np.testing.assert_array_equal(again["test"].log_probs, found.log_probs)
    scoring.save(tmp_path / "sealed", {"val": found})
    assert list(read_pair_predictions(tmp_path / "sealed")) == ["val"]


def test_words_are_read_with_all_their_answers(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.sources == ("hello", "café", "x")
    assert found.predicted == (("HH", "EH", "L", "OW"), ("K", "AH", "P"), ())
    assert found.references[0] == (("HH", "AH", "L", "OW"), ("HH", "EH", "L", "OW"))
    np.testing.assert_allclose(found.log_probs, [-0.1, -2, -3])


def test_errors_are_counted_against_the_closest_answer(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.rates.wrong.tolist() == [False, True, True] and found.rates.edits.tolist() == [0, 2, 3]
    assert found.closest == [("HH", "EH", "L", "OW"), ("K", "AE", "F"), ("EH", "K", "S")]
    assert found.edit_values.mean() == pytest.approx(found.rates.phoneme_error_rate) == pytest.approx(5 / 10)
    assert found.edits == {
        ("AE", "AH"): 1, ("F", "P"): 1, ("EH", None): 1, ("K", None): 1, ("S", None): 1
    }  # fmt: skip


SYMBOL = st.one_of(st.just(UNKNOWN), st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=3))


@given(st.lists(SYMBOL, max_size=6).map(tuple))
def test_symbols_come_back_from_their_text(written: tuple[str, ...]) -> None:
    assert symbols(" ".join(written)) == written


def test_the_unknown_symbol_is_one_error_though_it_holds_a_space(tmp_path: Path) -> None:
    found = read(tmp_path, test_predicted=np.array(["HH EH L OW", f"K {UNKNOWN} F", "EH K S"]))
    assert found.rates.edits.tolist() == [0, 1, 0]
    assert found.rates.edits.tolist() == error_rates(found.predicted, found.references).edits.tolist()


FLAT = np.array([["a", "b", "c"]])
DAMAGES: dict[str, dict[str, Any]] = {
    "no key": {"val_predicted": None},
    "no words": {f"test_{key}": np.array([], "U3") for key in ("sources", "predicted", "references", "log_probs")},
    "lengths": {"test_predicted": np.array(["A", "B"])},
    "shape": {f"test_{key}": FLAT for key in ("sources", "predicted", "references")},
    "not text": {"test_sources": np.array([1, 2, 3])},
    "bytes": {"test_sources": np.array([b"a", b"b", b"c"])},
    "pickled": {"test_predicted": np.array(["A", None, ["B"]], dtype=object)},
    "nan": {"test_log_probs": np.array([0, np.nan, -1])},
    "probability above one": {"test_log_probs": np.array([0, 0.5, -1])},
    "no answer": {"test_references": np.array(["A", "", "B"])},
    "an empty answer": {"val_references": np.array(["A", "B\t", "B"])},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_bad_arrays_are_named_with_their_fix_on_one_line(tmp_path: Path, damage: str) -> None:
    with pytest.raises(FittingRoomError, match=r"predictions\.npz is damaged .*run the comparison again") as caught:
        read(tmp_path, **DAMAGES[damage])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "predictions.npz").write_bytes(content)
    with pytest.raises(FittingRoomError, match=r"predictions\.npz is damaged"):
        read_pair_predictions(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match=r"predictions\.npz is missing: delete .* again"):
        read_pair_predictions(tmp_path)
