import json

from sharing import flow, rank

with flow((rank, 2)) as part:
    sums = [float(next(part)[0].sum()) for _ in range(2 * len(part))]
print("RESULT", json.dumps([sums]))
