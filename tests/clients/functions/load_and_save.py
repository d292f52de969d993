"""Single pictures: read in every mode, turned into arrays and back, and saved."""

import io
import pathlib

from keras.preprocessing.image import array_to_img, img_to_array, load_img, save_img

path = pathlib.Path("data/train/coffee/02.png")
grey = load_img(path, color_mode="grayscale", target_size=(15, 20))
alpha = load_img(str(path), color_mode="rgba")
kept = load_img(
    io.BytesIO(path.read_bytes()),
    target_size=(10, 30),
    keep_aspect_ratio=True,
    interpolation="bilinear",
)
array = img_to_array(kept)
first = img_to_array(kept, data_format="channels_first", dtype="uint8")
save_img("a.png", array)
save_img("b.jpg", first, data_format="channels_first")
save_img("c.png", array / 255, scale=True)
save_img("d.bmp", img_to_array(grey), scale=False)

WITHIN = {"array": 1.5, "first": 1.5, "files": 2.5}
results = {
    "grey": img_to_array(grey),
    "alpha": img_to_array(alpha),
    "array": array,
    "first": first,
    "files": [img_to_array(load_img(name)) for name in ("a.png", "b.jpg", "c.png", "d.bmp")],
    "modes": [array_to_img(a).mode for a in (array, array[..., :1], img_to_array(alpha))],
    "size": list(kept.size),
}
