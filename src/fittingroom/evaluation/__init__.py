"""Scores of a classifier's probabilities, and how sure one may be of them. Knows no model and no trainer."""
