import json
import os

import torch
from sharing import flow, place, rank
from torch import distributed

distributed.init_process_group("gloo", init_method="file://" + place, rank=rank, world_size=2)
torch.manual_seed(1)
model = torch.nn.Linear(64, 4)
parallel = torch.nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(parallel.parameters(), lr=0.1)
with flow("auto") as part:
    assert part.shard == (rank, 2)
    for x, y in torch.utils.data.DataLoader(part.to_torch_dataset(), batch_size=None):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(parallel(x.flatten(1)), y).backward()
        optimizer.step()
print("RESULT", json.dumps([p.detach().ravel().tolist() for p in model.parameters()]), flush=True)
distributed.destroy_process_group()
os._exit(0)  # a thread of gloo may abort when Python ends (pytorch#190489)
