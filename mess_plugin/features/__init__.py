"""Plain signal processing that encoders and facets share."""
