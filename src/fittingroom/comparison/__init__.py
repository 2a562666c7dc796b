"""Several models under one protocol: what runs, what it cost, which is better, and how sure that is."""
