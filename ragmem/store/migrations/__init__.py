"""Numbered migrations, applied in order, one transaction each."""
