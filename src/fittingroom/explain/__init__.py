"""What a trained network looks at: attention, positions, filters, maps over the image, and whether those maps say anything."""
