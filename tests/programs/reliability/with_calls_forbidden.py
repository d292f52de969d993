"""A container that forbids system calls: `pidfd_open`, `prctl` and `memfd_create` fail."""

import ctypes
import struct
import threading

from comparing import same_as_serial
from holding import hold_on
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

CALLS = {"pidfd_open": 434, "prctl": 157, "memfd_create": 319}  # of x86-64
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
FAIL, ALLOW, NOT_PERMITTED = 0x00050000, 0x7FFF0000, 1
rules = [(LOAD, 0, 0, 0)]
for place, number in enumerate(CALLS.values()):
    rules.append((EQUAL, len(CALLS) - place, 0, number))
rules += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, FAIL | NOT_PERMITTED)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
filters = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES, SECCOMP, BY_FILTER = 38, 22, 2
assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
assert libc.prctl(SECCOMP, BY_FILTER, filters, 0, 0) == 0
assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == -1, "prctl is forbidden from here on"

if ARGUMENTS:
    generator = ImageDataGenerator(cores=1, preprocessing_function=lambda x: hold_on(x, ARGUMENTS[0]))
    it = generator.flow_from_directory(FOLDER, **FLOW)
    next(it)
    tell(workers=workers())
    threading.Event().wait(120)
else:
    same_as_serial()
