"""Finance risk: statements assessed by computed factors, transactions scored, credit explained. The model only explains."""
