"""Holds everything that a document became against the catalog, and mends what can be mended."""
