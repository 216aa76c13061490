"""A metric of one's own: a map of the song vectors, learned from what somebody says is alike.

judgements.py   pairs, triplets or groups of paths → comparisons of tracks
head.py         comparisons → a linear map, regularised towards leaving all as it is
trial.py        whether it does better than plain cosine on tracks that it did not see
fitting.py      the two together, and the space that a metric that helps gets beside the others

Nothing is encoded again: the map works on stored vectors.
"""
