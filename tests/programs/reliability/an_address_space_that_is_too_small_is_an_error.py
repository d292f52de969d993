import resource

import psutil
from comparing import same_as_serial
from memory import fails
from telling import tell

used = psutil.Process().memory_info().vms
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, hard))  # the slots take 2.6 GB
told = fails()
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
tell(**told)
same_as_serial()
