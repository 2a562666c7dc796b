"""How a run is made fast on this machine: plan, probe, engine, and a time budget as a number of steps."""
