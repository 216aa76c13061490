"""Overviews of a library: clusters of similar music, outliers, and a map in two dimensions.

    feature_matrix.py   the song vectors of all tracks, and what is known of them
    clusters.py         clusters, their centres, examples and outliers
    naming.py           a readable name for a cluster, from what distinguishes it
    layout.py           coordinates: principal components, or t-SNE with the extra `map`
    drawing.py          the map as a picture
    documents.py        both as JSON

The same library and seed give the same result.
"""
