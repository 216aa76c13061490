"""Steering the feel: which aspects count, what is left out, how varied, and in which order.

query.py        what a listener asks for beside the seeds: the one vocabulary (docs/query.md)
parsing.py      the same as people write it
written.py      the same as JSON says it
question.py     any question at all, plain or steered
candidates.py   which tracks are looked at, with their vectors
scoring.py      likeness part by part → scores that these parts add up to
ranking.py      question → candidates in order: the one way to a score
diversity.py    at most n per artist and album, and maximal marginal relevance
reasons.py      the parts of a score, tempo and key, for people
asking.py       query → matches with their reasons
transitions.py  how well the end of one track leads to the start of the next
playlists.py    alike, journey, arc
radio.py        a list without end
taste.py        what a listener's verdicts say about the weights
"""
