"""Holds a claim against the passage that it cites: values first, then what the words say."""
