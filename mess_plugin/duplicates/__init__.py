"""Recordings that are the same music: found by ear, linked reversibly, left out of answers.

course.py    lays one whole recording along another
judging.py   what the two are to each other, from what was heard
wording.py   and what their tags add to that
finding.py   candidates by nearness, each judged, the links stored
hiding.py    answers without what is linked to the seeds or to a better answer

Nothing is deleted or merged, in the library or on the disk: a link is a row that can be taken away.
"""
