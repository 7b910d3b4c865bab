"""`python -m motet` is `motet`."""

from motet.cli.main import main

main()
