"""From a RunConfig to a run folder. The only room that imports Lightning."""
