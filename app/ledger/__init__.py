"""The record of every question and answer, as an append-only Merkle tree."""
