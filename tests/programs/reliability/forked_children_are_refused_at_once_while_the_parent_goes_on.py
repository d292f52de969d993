import os
import signal

from comparing import expected
from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

right = expected(12)
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
received, said = [next(it)[0]], []
for ask in (lambda: next(it), lambda: it[3], it.close, lambda: (it.reset(), next(it))):
    reading, writing = os.pipe()
    if os.fork() == 0:
        signal.alarm(20)  # a child that hangs says nothing
        try:
            ask()
            answer = "nothing"
        except RuntimeError as error:
            answer = type(error).__name__ + ": " + str(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    received.append(next(it)[0])
    with open(reading) as answer:
        said.append(answer.read())
    os.wait()
received += [next(it)[0] for _ in range(7)]
same = all((a == b).all() for a, b in zip(received, right, strict=True))
tell(said=said, same=bool(same), workers=workers())
