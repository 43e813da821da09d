"""What becomes of a model in another culture, and what helps without target labels."""
