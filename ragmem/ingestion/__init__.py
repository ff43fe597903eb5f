"""The sync engine: connector -> parse -> chunk -> embed -> store -> indexes, resumable.

Nothing here knows which parser, embedder or index it works with.
"""
