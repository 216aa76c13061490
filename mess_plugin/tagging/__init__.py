"""Writes tempo, key and loudness into the tags of the user's files: the only code that writes music.

    values.py         measures → the text of each field, in the form of each tag format
    tag_file.py       one file's tags: read and set by name, and compared with what they were
    atomic_write.py   replaces a file by a checked copy with other tags
    undo.py           the old values, on disk before anything is written
    planning.py       which files get which tags, which do not and why

Nothing here runs without `mess tag`, and nothing is written without `--apply`.
"""
