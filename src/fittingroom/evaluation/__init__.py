"""Predict, score and decode with trained models, and compute the statistics of their scores. Independent of training."""
