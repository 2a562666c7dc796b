"""The fork server imports this module first. When the server ends, it deletes the folder of its socket.

The process that starts the server does so as well, but not if it is killed. If both are killed, the next start does.
"""

import atexit
import os
import shutil

from fittingroom.comparison.executors.socket_folder import hold_too

SOCKET_FOLDER = "FITTINGROOM_SOCKET_FOLDER"
"""The environment variable that tells the server its folder."""

if SOCKET_FOLDER in os.environ:
    hold_too(os.environ[SOCKET_FOLDER])
    atexit.register(
        shutil.rmtree, os.environ.pop(SOCKET_FOLDER), ignore_errors=True
    )  # runs do not get here: they use os._exit
