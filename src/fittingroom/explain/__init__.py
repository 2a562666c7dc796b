"""What a trained network looks at: attention, positions, filters, maps over the image, and tests of what those maps say.

Arrays in, arrays out. `report.inspection` and `report.plots` draw them.
"""
