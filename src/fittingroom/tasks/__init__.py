"""The kinds of data this package knows: one package for each task, and the registries that hold them."""
