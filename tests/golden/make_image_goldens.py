#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PIL and NumPy make of five photos: writes images.npz and images.tsv beside itself (Debian's python3-pil, python3-numpy).

The photos of images.npz are crops of datasets/photos as decoded by PIL, so that no JPEG decoder takes part in the comparison;
decoded.npz holds sparse pixels of the whole photos as PIL decodes them, for the test of the program's own decoder.
images.tsv: name, kind, photo, detail. resize: "width height filter". timm: a pretrained_cfg. transformers: a preprocessor_config.
The transforms below are written from the documentation of torchvision's Resize, CenterCrop and Pad, timm's evaluation transform
and transformers' resize, center_crop, rescale and normalize, on PIL pictures.
"""
import json
import math
import pathlib

import numpy as np
from PIL import Image

here = pathlib.Path(__file__).resolve().parent
folder = here.parent.parent / "datasets" / "photos"
FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR, "hamming": Image.HAMMING,
           "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
CROPS = {"chelsea_cat.jpg": (100, 40, 281, 163), "coffee.jpg": (150, 100, 301, 302), "astronaut.jpg": (170, 20, 320, 170),
         "raccoon.jpg": (60, 200, 157, 264), "brick.jpg": (0, 0, 90, 201)}


def rgb(name):
    return Image.open(folder / name).convert("RGB")


photos = {name: rgb(name).crop(box) for name, box in CROPS.items()}
arrays = {name: np.asarray(photo) for name, photo in photos.items()}
lines = []


def record(name, kind, photo, detail, value):
    arrays[name] = value
    lines.append("\t".join([name, kind, photo, detail]))


# ---- resize alone
for photo, width, height, filters in [
        ("chelsea_cat.jpg", 64, 64, FILTERS), ("coffee.jpg", 40, 53, FILTERS), ("astronaut.jpg", 211, 83, ["bilinear", "bicubic", "lanczos", "nearest"]),
        ("raccoon.jpg", 97, 31, ["bicubic", "box"]), ("brick.jpg", 33, 201, ["bicubic", "hamming"]), ("astronaut.jpg", 1, 1, ["bicubic", "nearest"]),
        ("raccoon.jpg", 224, 224, ["bicubic"]), ("brick.jpg", 7, 3, ["lanczos", "bilinear"])]:
    for which in filters:
        value = np.asarray(photos[photo].resize((width, height), FILTERS[which]))
        record(f"resize_{photo.split('.')[0]}_{width}x{height}_{which}", "resize", photo, f"{width} {height} {which}", value)


# ---- timm, torchvision
def shortest(image, size, resample):
    w, h = image.size
    short, long = (w, h) if w <= h else (h, w)
    other = int(size * long / short)
    return image.resize((size, other) if w <= h else (other, size), resample)


def keep_ratio(image, target, longest, resample):
    w, h = image.size
    ratios = (h / target[0], w / target[1])
    ratio = max(ratios) if longest else min(ratios)
    new = [round(x / ratio) for x in (h, w)]
    return image.resize((new[1], new[0]), resample)


def center_crop(image, size, fill):
    ch, cw = size
    w, h = image.size
    if cw > w or ch > h:
        left, top = (cw - w) // 2 if cw > w else 0, (ch - h) // 2 if ch > h else 0
        framed = Image.new("RGB", (max(w, cw), max(h, ch)), fill)
        framed.paste(image, (left, top))
        image = framed
        w, h = image.size
    top, left = int(round((h - ch) / 2.0)), int(round((w - cw) / 2.0))
    return image.crop((left, top, left + cw, top + ch))


def timm(image, cfg):
    height, width = cfg["input_size"][1:]
    scale = [math.floor(x / cfg["crop_pct"]) for x in (height, width)]
    resample = FILTERS[cfg["interpolation"]]
    fill = (0, 0, 0)
    if cfg.get("crop_mode") == "squash":
        image = image.resize((scale[1], scale[0]), resample)
    elif cfg.get("crop_mode") == "border":
        image = keep_ratio(image, scale, True, resample)
        fill = tuple(round(255 * v) for v in cfg["mean"])
    elif scale[0] == scale[1]:
        image = shortest(image, scale[0], resample)
    else:
        image = keep_ratio(image, scale, False, resample)
    image = center_crop(image, (height, width), fill)
    tensor = np.asarray(image).astype(np.float32) / np.float32(255)
    return ((tensor - np.float32(cfg["mean"])) / np.float32(cfg["std"])).transpose(2, 0, 1)


imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
halves = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
for name, photo, cfg in [
        ("timm_center", "chelsea_cat.jpg", {"input_size": [3, 48, 48], "crop_pct": 0.875, "interpolation": "bicubic", **imagenet}),
        ("timm_odd", "coffee.jpg", {"input_size": [3, 37, 37], "crop_pct": 0.9, "interpolation": "bilinear", **halves}),
        ("timm_whole", "raccoon.jpg", {"input_size": [3, 64, 64], "crop_pct": 1.0, "interpolation": "bicubic", **imagenet}),
        ("timm_wide", "astronaut.jpg", {"input_size": [3, 32, 57], "crop_pct": 0.95, "interpolation": "lanczos", "crop_mode": "center", **halves}),
        ("timm_squash", "brick.jpg", {"input_size": [3, 40, 40], "crop_pct": 0.8, "interpolation": "bicubic", "crop_mode": "squash", **imagenet}),
        ("timm_border", "brick.jpg", {"input_size": [3, 45, 40], "crop_pct": 1.0, "interpolation": "bicubic", "crop_mode": "border", **imagenet}),
        ("timm_border_odd", "raccoon.jpg", {"input_size": [3, 51, 64], "crop_pct": 0.99, "interpolation": "box", "crop_mode": "border", **halves})]:
    record(name, "timm", photo, json.dumps(cfg), timm(photos[photo], cfg).astype(np.float32))


# ---- transformers
def hf_center_crop(array, size):
    ch, cw = size
    h, w, _ = array.shape
    top, left = (h - ch) // 2, (w - cw) // 2
    bottom, right = top + ch, left + cw
    if top >= 0 and bottom <= h and left >= 0 and right <= w:
        return array[top:bottom, left:right]
    nh, nw = max(ch, h), max(cw, w)
    new = np.zeros((nh, nw, 3), array.dtype)
    tp, lp = math.ceil((nh - h) / 2), math.ceil((nw - w) / 2)
    new[tp:tp + h, lp:lp + w] = array
    top, bottom, left, right = top + tp, bottom + tp, left + lp, right + lp
    return new[max(0, top):min(nh, bottom), max(0, left):min(nw, right)]


def transformers(image, cfg, square):
    """`square`: what a plain number in "size" means to the class."""
    resample = cfg.get("resample", 2)
    size = cfg["size"]
    if cfg.get("do_resize", True):
        if isinstance(size, dict) and "height" in size:
            image = image.resize((size["width"], size["height"]), resample)
        elif isinstance(size, dict) or not square:
            image = shortest(image, size["shortest_edge"] if isinstance(size, dict) else size, resample)
        else:
            image = image.resize((size, size), resample)
    array = np.asarray(image)
    if cfg.get("do_center_crop"):
        crop = cfg["crop_size"]
        array = hf_center_crop(array, (crop["height"], crop["width"]) if isinstance(crop, dict) else (crop, crop))
    value = (array * cfg.get("rescale_factor", 1 / 255)).astype(np.float32)
    if cfg.get("do_normalize", True):
        value = (value - np.float32(cfg["image_mean"])) / np.float32(cfg["image_std"])
    return value.transpose(2, 0, 1)


half = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
clip = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
for name, photo, square, cfg in [
        ("hf_vit", "coffee.jpg", True, {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 48, "width": 48}, "resample": 2,
                                        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, **half}),
        ("hf_vit_old", "raccoon.jpg", True, {"feature_extractor_type": "ViTFeatureExtractor", "size": 32, "resample": 3, **half}),
        ("hf_deit", "chelsea_cat.jpg", True, {"feature_extractor_type": "DeiTFeatureExtractor", "do_center_crop": True, "size": 55, "crop_size": 48,
                                              "resample": 3, **half}),
        ("hf_clip", "coffee.jpg", False, {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 40}, "do_center_crop": True,
                                          "crop_size": {"height": 40, "width": 40}, "resample": 3, "do_convert_rgb": True, **clip}),
        ("hf_clip_old", "chelsea_cat.jpg", False, {"feature_extractor_type": "CLIPFeatureExtractor", "size": 36, "do_center_crop": True, "crop_size": 33,
                                                   "resample": 3, **clip}),
        ("hf_frame", "brick.jpg", False, {"size": {"shortest_edge": 30}, "do_center_crop": True, "crop_size": {"height": 35, "width": 43}, "resample": 1, **half}),
        ("hf_raw", "raccoon.jpg", True, {"image_processor_type": "ViTImageProcessor", "do_resize": False, "do_center_crop": True, "size": 20, "crop_size": 20,
                                         "do_normalize": False, "rescale_factor": 1 / 127.5})]:
    record(name, "transformers", photo, json.dumps(cfg), transformers(photos[photo], cfg, square).astype(np.float32))

np.savez_compressed(here / "images.npz", **arrays)
(here / "images.tsv").write_text("\n".join(lines) + "\n")
# Every 23rd pixel of every 19th row.
np.savez_compressed(here / "decoded.npz", **{path.name: np.asarray(rgb(path.name))[::19, ::23] for path in sorted(folder.glob("*.jpg"))})
