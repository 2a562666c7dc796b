"""The task of turning source sequences into target sequences, such as letters into phonemes."""
