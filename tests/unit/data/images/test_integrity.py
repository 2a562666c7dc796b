"""`fittingroom data check` finds planted copies, reports bad files, and confirms our claims about the real data set."""

import json

import pytest

from fittingroom.data.images import fashion_mnist, integrity


def test_planted_copies_are_found_with_their_positions(tiny) -> None:
    duplicates = integrity.check(tiny.folder, tiny.release)["duplicates"]
    assert duplicates["within_train"] == {
        "num_groups": 1, "num_copies": 1, "num_groups_with_different_labels": 1, "groups": [[0, 1]],
    }  # fmt: skip
    assert duplicates["within_test"]["groups"] == []
    assert duplicates["train_in_test"] == {
        "num_train_images": 1,
        "num_test_images": 1,
        "pairs": [{"train": [4], "test": [7], "labels_differ": True}],
    }


def test_the_report_is_json_and_counts_the_classes(tiny) -> None:
    report = integrity.check(tiny.folder, tiny.release)
    assert json.loads(json.dumps(report)) == report
    assert report["ok"]
    assert report["test_reads"] == [integrity.WHY]
    assert report["class_counts"]["train"] == dict.fromkeys(fashion_mnist.SPEC.class_names, 3)
    assert [file["shape"] for file in report["files"]] == [[30, 28, 28], [30], [10, 28, 28], [10]]


def test_a_bad_file_is_reported_and_the_others_still_checked(tiny) -> None:
    bad = tiny.folder / "t10k-images-idx3-ubyte.gz"
    bad.write_bytes(bad.read_bytes()[:-20])
    report = integrity.check(tiny.folder, tiny.release)
    assert not report["ok"]
    assert report["duplicates"] is None
    assert report["class_counts"] is None
    assert report["test_reads"] == []
    problems = {file["path"]: file["problem"] for file in report["files"]}
    assert problems.pop(str(bad)) == "is cut short"
    assert set(problems.values()) == {None}


@pytest.mark.thorough
def test_fashion_mnist_is_balanced_and_has_no_exact_copies() -> None:
    report = integrity.check(fashion_mnist.find())
    assert report["ok"]
    assert set(report["class_counts"]["train"].values()) == {6000}
    assert set(report["class_counts"]["test"].values()) == {1000}
    assert report["duplicates"]["within_train"]["num_groups"] == 0
    assert report["duplicates"]["within_test"]["num_groups"] == 0
    assert report["duplicates"]["train_in_test"]["num_train_images"] == 0
