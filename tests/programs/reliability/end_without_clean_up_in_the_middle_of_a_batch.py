from holding import hold_on
from pressing import lead_a_group, wait_until_held
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(cores=1, preprocessing_function=lambda x: hold_on(x, 4))
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())

lead_a_group()
wait_until_held()

exec(ARGUMENTS[0])  # a statement that ends the process
