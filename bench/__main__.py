"""`python -m bench VERB`, also installed as `bench`."""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        # until the command line is imported and can do better: nothing has been begun that could be left half done
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from bench.cli import main

    main()
