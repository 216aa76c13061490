"""The library as a landscape: what kinds of music are in it, what stands apart, and a map.

    landscape.py   the song vectors of all tracks, and what people know of them
    clusters.py    groups of tracks that feel alike, their centres, examples and outliers
    naming.py      a group's readable name, from what sets it apart from the rest
    layout.py      places in two dimensions: principal components, or t-SNE with the extra `map`
    drawing.py     the map as a picture

Everything is the same again with the same library and seed.
"""
