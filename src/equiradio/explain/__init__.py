"""What attention maps and other explanations are worth, measured."""
