"""What runs inside vLLM's own processes: our model class, routing and quantized layers, through its own hooks."""
