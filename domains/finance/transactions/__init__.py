"""Transaction risk: features over windows, a fitted model with exact reasons, rules that people write, drift."""
