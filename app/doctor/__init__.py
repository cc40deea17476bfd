"""`./vouch doctor`: looks at everything that a working installation needs, and says what is wrong and what to do."""
