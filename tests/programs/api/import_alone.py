import sys
import time

start = time.process_time()  # what others do on this machine does not count
seconds = time.process_time() - start
heavy = {"PIL", "cv2", "keras", "tensorflow", "torch", "jax", "pandas", "scipy", "tqdm"}
print(seconds)
print(sorted(heavy & set(sys.modules)))
