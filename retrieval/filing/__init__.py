"""From a question to the documents that it means, and the words that they use for what it asks."""
