"""Compare several models under one protocol: run them, then report scores, costs and which model is better."""
