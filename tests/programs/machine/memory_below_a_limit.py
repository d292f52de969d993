import resource

import psutil

from imageloom._machine import free_memory

free_memory()  # loads what it needs
used = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, resource.getrlimit(resource.RLIMIT_AS)[1]))
print(free_memory())
