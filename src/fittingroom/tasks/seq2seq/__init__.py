"""Source sequences to target sequences, such as letters to phonemes."""
