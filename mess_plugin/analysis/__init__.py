"""The hierarchy: windows, timeline, sections and pooled vectors of one recording."""
