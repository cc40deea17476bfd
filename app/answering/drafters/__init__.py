"""The ways in which a draft comes about; what all of them write is checked in the same way."""
