"""Confident learning finds flipped labels, and none where the model agrees."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from fittingroom.data.images.guard.labels import claims, confident_joint, doubtful


@pytest.fixture(scope="module")
def flipped() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """True labels, given labels of which 5 % are wrong, where they are, and out-of-sample probabilities."""
    blobs: Any = make_blobs(n_samples=600, centers=[(0, 0), (6, 0), (0, 6), (6, 6)], cluster_std=1.3, random_state=1)
    points, truth = blobs
    draw = np.random.default_rng(0)
    wrong = draw.choice(len(truth), 30, replace=False)
    given_labels = truth.copy()
    given_labels[wrong] = (truth[wrong] + draw.integers(1, 4, len(wrong))) % 4
    probs = cross_val_predict(LogisticRegression(), points, given_labels, cv=3, method="predict_proba")
    return truth, given_labels, wrong, np.asarray(probs)


def test_flipped_labels_are_found_with_their_true_class(flipped) -> None:
    truth, given_labels, wrong, probs = flipped
    found = doubtful(given_labels, probs)
    hits = np.isin(found.place, wrong)
    assert hits.sum() >= 0.8 * len(wrong) and hits.mean() >= 0.8
    assert (found.suggested[hits] == truth[found.place[hits]]).mean() > 0.95


def test_the_surest_come_first(flipped) -> None:
    _, given_labels, wrong, probs = flipped
    found = doubtful(given_labels, probs)
    assert (np.diff(found.own) >= 0).all()
    assert np.isin(found.place[:15], wrong).all()


def test_the_joint_counts_each_claimed_picture_once(flipped) -> None:
    _, given_labels, _, probs = flipped
    joint = confident_joint(given_labels, probs)
    assert joint.sum() == (claims(given_labels, probs) >= 0).sum()
    assert (joint.argmax(axis=1) == np.arange(4)).all()


def test_a_small_example_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    # On average class 0 gets .6 on its own pictures, class 1 .75: the third picture is claimed by class 1.
    assert claims(labels, probs).tolist() == [0, 0, 1, 1, -1]
    assert confident_joint(labels, probs).tolist() == [[2, 1], [0, 1]]
    found = doubtful(labels, probs)
    assert found.agreement == 0.8
    assert (found.place.tolist(), found.suggested.tolist()) == ([2], [1]) and (found.sure[0], found.own[0]) == (
        0.9,
        0.1,
    )


@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 100))
def test_what_is_listed_is_never_the_most_probable_label(num_classes: int, number: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    probs = draw.dirichlet(np.ones(num_classes), number)
    labels = draw.integers(0, num_classes, number)
    found = doubtful(labels, probs)
    assert (found.suggested != labels[found.place]).all() and (found.sure > found.own).all()
    assert (probs.argmax(axis=1)[found.place] != labels[found.place]).all()
