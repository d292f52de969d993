import os
import resource

from memory import fails, forget_memfd
from telling import ARGUMENTS, tell

if not ARGUMENTS[0]:
    forget_memfd()
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
fails()
before = len(os.listdir("/proc/self/fd"))
kinds = {fails()["kind"] for _ in range(5)}
tell(kinds=sorted(kinds), more=len(os.listdir("/proc/self/fd")) - before)
