"""Retrieval quality: how well vectors, or the whole system, find music that belongs together."""
