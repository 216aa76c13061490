"""Measures retrieval quality: does the search find music that belongs together?"""
