"""Ends a process with the one that it works for, however that one ended."""

import os
import threading
import time

LOOK_EVERY_S = 0.5


def end_with(parent: int) -> None:
    """Ends this process, at once, when its parent is not, or no longer, the one of this id."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
