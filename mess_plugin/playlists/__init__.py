"""Playlists: generated from similarity, endless (radio), and written to files."""
