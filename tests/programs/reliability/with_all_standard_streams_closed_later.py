import os
import sys

from comparing import same_as_serial
from silent import tell

sys.stdin = sys.stdout = sys.stderr = None
for descriptor in range(3):
    os.close(descriptor)
same_as_serial(tell=tell)
