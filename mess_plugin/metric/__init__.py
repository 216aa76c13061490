"""Learns a metric of the user's own: a linear map of song vectors, from pairs called similar or not.

judgements.py         pairs or triplets in a file → comparisons of tracks
linear_map.py         comparisons → a linear map, regularised towards the identity
cross_validation.py   whether the map beats plain cosine on tracks it did not see
fitting.py            all of it, and the space of a metric that helps

Nothing is encoded again: the map works on stored vectors.
"""
