"`python -m hpa_nb CONFIG` runs a configuration, see `--help`"
from .pipeline import main

if __name__ == '__main__': main()
