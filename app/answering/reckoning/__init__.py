"""Code does the arithmetic: figures copied from the evidence, a formula over them, and a result that can be redone."""
