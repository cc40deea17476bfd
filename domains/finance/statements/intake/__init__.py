"""Statements in: JSON, CSV, XLSX, XBRL company facts and inline XBRL become cells, each with the place it came from."""
