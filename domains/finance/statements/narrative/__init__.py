"""Sentences about computed figures, and the proof of each figure in them."""
