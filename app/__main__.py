"""`python -m app` is what the launcher runs."""

from app.cli import main

main()
