-- The nearest harmonies through an index, so that looking for duplicates of one new track never looks
-- at every other. HNSW needs the dimension as a constant: 4 lags of 84 values.
CREATE INDEX facets_harmony ON facets USING hnsw ((search::halfvec(336)) halfvec_cosine_ops)
    WHERE facet = 'harmony';
