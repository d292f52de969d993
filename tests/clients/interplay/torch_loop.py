"""A training loop of PyTorch around the flow, as people wrote who came from Keras."""

import numpy as np
import torch
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator(rescale=1 / 255, data_format="channels_first").flow_from_directory(
    "data/train", target_size=(12, 12), class_mode="sparse", batch_size=7, seed=1
)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 12 * 12, 3))
optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
losses = []
for _ in range(2):
    for _ in range(len(flow)):
        x, y = next(flow)
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long())
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

WITHIN = {"losses": 1e-3}
results = {"losses": np.array(losses), "dtype": str(torch.from_numpy(x).dtype)}
