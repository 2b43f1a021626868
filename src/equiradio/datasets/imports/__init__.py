"""Data sets from what people have: a folder per class, a table of files or of positions beside mosaics, an HDF5 or NPY array of images."""
