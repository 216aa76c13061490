"""Writing what was heard into the tags of the user's own files: the only place that writes music.

    values.py     measures → the text of each field, in the form that each family of tags wants
    carrier.py    one file's tags: read and set by name, and compared with what they were
    replacing.py  a changed copy, checked, takes the file's place in one step
    undo.py       what the tags were before, on disk before anything is written
    planning.py   which files would get which tags, and why others would not

Nothing here runs without being asked for (`mess tag`), and nothing is written without `--apply`.
"""
