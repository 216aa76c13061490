"""Playlists: generated, endless, and written to files."""
