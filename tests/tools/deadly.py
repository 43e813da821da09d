"""Work that ends its process, for tests of what survives that."""

import os
import signal


def double_or_die(number: int) -> int:
    """Twice the number; a negative one kills the process, as the kernel does for want of memory."""
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 13:
        raise ValueError("thirteen")
    return 2 * number
