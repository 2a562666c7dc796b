"""Train a RunConfig and write a run folder. The only package that trains with Lightning."""
