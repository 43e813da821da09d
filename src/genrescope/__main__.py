"""`python -m genrescope` is the `genrescope` command."""

from genrescope.cli import main

if __name__ == "__main__":
    main()
