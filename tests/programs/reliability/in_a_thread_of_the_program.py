import threading

from comparing import same_as_serial

thread = threading.Thread(target=same_as_serial)
thread.start()
thread.join()
