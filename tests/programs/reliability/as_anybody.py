import os

from comparing import same_as_serial
from telling import FOLDER

# Of root, too, permissions are asked from here on: it has given up the right to pass them over.
if hasattr(os, "geteuid") and os.geteuid() == 0:
    import ctypes

    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0
try:
    open(os.path.join(FOLDER, "written"), "w").close()
    raise SystemExit("the folder can be written")
except PermissionError:
    same_as_serial()
