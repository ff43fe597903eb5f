"""The truth: every table, its migrations, and the lock that keeps one writer at a time.

Rows are read and written by functions that take a connection; transactions belong to the caller.
Nothing here knows about indexes, models or files outside the store's folder.
"""
