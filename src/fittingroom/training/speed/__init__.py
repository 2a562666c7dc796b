"""Make a run fast on this machine: choose a speed plan by measuring, and convert a time budget to a number of steps."""
