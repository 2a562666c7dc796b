"""Executors do the runs of a comparison. The one here starts processes on this machine."""
