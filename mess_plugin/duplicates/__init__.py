"""Finds recordings of the same music and links them; links can be removed, and nothing is deleted.

time_alignment.py   aligns two whole recordings in time
classify.py         what two recordings are to each other, from their features and tags
finding.py          candidates by nearness, each compared, the links stored

Answers leave linked recordings out in `mess_plugin.search.diversity`.
"""
