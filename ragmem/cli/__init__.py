"""The command `ragmem`: one module a group of commands; nothing here that the SDK cannot do."""

from ragmem.cli.main import main

__all__ = ["main"]
