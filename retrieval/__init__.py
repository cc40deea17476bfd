"""Documents in, passages out: parsing, chunking, indexing and search under a permission scope."""
