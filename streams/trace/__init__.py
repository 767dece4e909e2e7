"""Traceability: all that is stored of one asset, from the bytes that came to the money in it."""
