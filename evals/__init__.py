"""The evaluation harness: is it good on this data, and how sure is that.

Uses ragmem's public API only. `python -m evals SUITE --data PATH` prints one result; the form is
described in `docs/evaluation.md`.
"""
