"""The sources of the example documents: one module a document, and what several of them share."""
