"""One module a kind of source: `opened(folder)` yields a connector over a small real one.

Each world holds at least two items that can be fetched; a world that must skip something does.
The contract suite runs over all of them.
"""
