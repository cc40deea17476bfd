"""Gradio pages, thin over the service: no logic that the API does not have."""
