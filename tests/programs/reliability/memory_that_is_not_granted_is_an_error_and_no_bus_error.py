import resource

from comparing import same_as_serial
from memory import fails, forget_memfd
from telling import ARGUMENTS, tell

if not ARGUMENTS[0]:
    forget_memfd()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))  # as a full disk
told = fails()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
tell(**told)
same_as_serial()
