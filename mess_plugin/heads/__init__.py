"""Heads: small maps from stored vectors to words with probabilities. Nothing is encoded again.

head.py     a head, its file, and what it says
fit.py      ridge regression and calibration
tags.py     the tags of the library: read from stored vectors, kept, and taken to another encoder
"""
