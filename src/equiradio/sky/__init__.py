"""Images of the sky: FITS and pictures, cutouts, and the recipe that turns them into what networks see. No torch."""
