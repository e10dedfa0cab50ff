"`python -m hpa_nb CONFIG` runs a configuration, see `--help`"
import os

from .pipeline import main

if __name__ == '__main__':
    main()
    if int(os.environ.get('WORLD_SIZE', 1)) > 1:
        from .training import leave
        leave()
