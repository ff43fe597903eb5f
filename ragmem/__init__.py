"""Answers from your documents, with exact citations, on your own machine."""
