"""Spaces: the recipe that files are encoded with, the encoder in use, and projections refitted."""
