"""What the product costs, measured from outside: `make bench`, or `python -m benchmarks --help`."""
