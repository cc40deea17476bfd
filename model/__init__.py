"""The model: where its weights come from, how they are prepared, how vLLM serves them, how they are called."""
