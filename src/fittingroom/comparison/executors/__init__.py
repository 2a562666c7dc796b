"""Where the runs of a comparison are made: in processes on this machine, later on a cluster."""
