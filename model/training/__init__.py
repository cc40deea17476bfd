"""What training a mixture of experts needs beyond plain torch: losses, noise and fake quantization, each a function."""
