"""Train a RunConfig and write a run folder. The only package that trains with Lightning."""

from fittingroom.models.adapters.torchvision import make_importable

make_importable()  # before lightning is imported, which imports torchvision if it is there
