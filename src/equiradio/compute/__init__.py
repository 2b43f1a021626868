"""How to compute, for training and inference alike: device, memory, poses, preprocessing, and the form that each layer takes."""
