"""Financial statements: their figures, 1,024 documented factors computed from them, and what these say of risk."""
