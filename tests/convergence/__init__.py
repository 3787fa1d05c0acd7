"""Proof that a rerun finishes whatever was left: see README.md."""
