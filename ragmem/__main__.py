"""`python -m ragmem`: the same as the command `ragmem`."""

from ragmem.cli import main

if __name__ == "__main__":
    main()
