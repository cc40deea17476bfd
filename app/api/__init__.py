"""HTTP routes over the one pipeline."""
