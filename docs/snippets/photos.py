# Makes the folder "photos": 50 pictures in ten classes, cut out of scikit-image's photographs.
from pathlib import Path

import skimage.data
from PIL import Image

names = "astronaut camera chelsea clock coffee coins moon page retina rocket"
for name in names.split():
    photograph = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    width, height = photograph.size
    Path("photos", name).mkdir(parents=True, exist_ok=True)
    for number in range(5):
        left, upper = number * width // 8, number * height // 8
        crop = photograph.crop((left, upper, left + width // 2, upper + height // 2))
        crop.resize((160, 120)).save(f"photos/{name}/{number}.jpg")
