from comparing import same_as_serial
from memory import forget_memfd

forget_memfd()
same_as_serial()
