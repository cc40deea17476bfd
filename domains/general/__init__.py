"""The domain for questions that no other domain claims: search, read, answer."""
