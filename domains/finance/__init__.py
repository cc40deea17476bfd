"""Finance risk: statements, transactions and credit, computed; the model only explains what was computed."""
