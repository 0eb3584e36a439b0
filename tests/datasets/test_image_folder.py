"""Image folders and zips."""

from __future__ import annotations

import io
import pickle
import shutil
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustbench_rs.api import Images
from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.image_folder import ImageFolder

RANDOM = np.random.default_rng(0)
PICTURES = {
    f"{split}/{label}/{number}.png": RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    for split in ("test", "train")
    for label in ("cat", "ant", "bee")
    for number in (1, 0)
}


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "png")
    return buffer.getvalue()


def write_folder(root: Path, strip: str = "") -> Path:
    for name, array in PICTURES.items():
        if name.startswith(strip):
            path = root / name.removeprefix(strip)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(array))
    return root


def write_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in PICTURES.items():
            archive.writestr(name, png(array))
    return path


def load(path: Path, split: str = "test", **params: object) -> Images:
    return ImageFolder(ImageFolder.Params(path=path, **params)).load(split)


def expected(split: str) -> np.ndarray:
    order = [f"{split}/{label}/{number}.png" for label in ("ant", "bee", "cat") for number in (0, 1)]
    return np.stack([PICTURES[name].transpose(2, 0, 1) for name in order])


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("split", ["test", "train"])
def test_pixels_labels_and_order(tmp_path: Path, kind: str, split: str) -> None:
    images = load(write_folder(tmp_path / "data") if kind == "folder" else write_zip(tmp_path / "data.zip"), split)
    assert images.class_names == ("ant", "bee", "cat")
    assert images.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.shape == (3, 6, 5)
    assert np.array_equal(np.rint(images.pixels(np.arange(6)) * 255), expected(split))
    assert np.array_equal(np.rint(images.pixels(np.array([4, 1])) * 255), expected(split)[[4, 1]])


def test_digest_is_that_of_the_content(tmp_path: Path) -> None:
    folder, archive = write_folder(tmp_path / "data"), write_zip(tmp_path / "data.zip")
    digest = load(folder).digest
    assert digest == load(archive).digest
    assert digest != load(folder, "train").digest
    assert digest != load(folder, mode="grey").digest
    shutil.move(folder / "test/ant/0.png", folder / "test/bee/2.png")
    assert digest != load(folder).digest


def test_split_in_the_path(tmp_path: Path) -> None:
    write_folder(tmp_path / "train_images", strip="train/")
    write_folder(tmp_path / "test_images", strip="test/")
    images = load(tmp_path / "{split}_images", "train")
    assert np.array_equal(np.rint(images.pixels(np.arange(6)) * 255), expected("train"))


def test_without_splits_nothing_but_the_named_split_is_given(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pictures", strip="test/")
    assert len(load(root, "test")) == 6
    with pytest.raises(InputError, match="no split 'train', only 'test'"):
        load(root, "train")
    validation = write_folder(tmp_path / "val", strip="test/")
    assert len(load(validation, "val")) == 6
    with pytest.raises(InputError, match="no split 'test', only 'val'"):
        load(validation, "test")


def test_crop_takes_the_centre(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(png(array))
    images = load(tmp_path, crop=2, mode="grey")
    assert np.array_equal(np.rint(images.pixels(np.array([0])) * 255), array[None, None, 1:3, 2:4])


def test_resize_is_of_the_shorter_side(tmp_path: Path) -> None:
    for number, size in enumerate([(300, 200), (200, 300), (64, 64)]):
        path = tmp_path / "a" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(np.full((*size, 3), 77, dtype=np.uint8)))
    images = load(tmp_path, resize=40, crop=32)
    assert images.shape == (3, 32, 32)
    assert np.array_equal(np.rint(images.pixels(np.arange(3)) * 255), np.full((3, 3, 32, 32), 77))
    (tmp_path / "a" / "1.png").unlink()
    (tmp_path / "a" / "2.png").unlink()
    assert load(tmp_path, resize=40).shape == (3, 60, 40)


def test_worker_processes_read_the_same_zip(tmp_path: Path) -> None:
    images = load(write_zip(tmp_path / "data.zip"))
    copy = pickle.loads(pickle.dumps(images))
    assert np.array_equal(copy.pixels(np.arange(6)), images.pixels(np.arange(6)))
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        rows = list(pool.map(images.pixels, [np.array([index % 6]) for index in range(60)]))
    assert np.array_equal(np.concatenate(rows[:6]), images.pixels(np.arange(6)))
    assert all(np.array_equal(rows[index], rows[index % 6]) for index in range(60))


def _break(root: Path, what: str) -> Path:
    picture = root / "test/bee/0.png"
    if what == "undecodable":
        picture.write_bytes(b"this is no picture")
    elif what == "other size":
        picture.write_bytes(png(np.zeros((7, 5, 3), dtype=np.uint8)))
    elif what == "16 bits":
        Image.fromarray(np.full((6, 5), 40_000, dtype=np.uint16)).save(picture)
    elif what == "truncated":
        big = png(RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8))
        picture.write_bytes(big[: len(big) - 40])
    return root


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("undecodable", r"test/bee/0\.png: not an image that can be decoded"),
        ("other size", r"images of different size: test/ant/0\.png is 5x6, test/bee/0\.png is 5x7"),
        ("16 bits", r"test/bee/0\.png: .*more than 8 bits"),
        ("truncated", r"test/bee/0\.png: truncated or damaged"),
    ],
)
def test_bad_images_are_named(tmp_path: Path, what: str, message: str) -> None:
    root = _break(write_folder(tmp_path / "data"), what)
    with pytest.raises(InputError, match=message):
        load(root).pixels(np.arange(6))


def test_too_small_to_crop(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"test/ant/0\.png: 5x6 pixels are too few for 'crop: 8'"):
        load(write_folder(tmp_path), crop=8)


def test_truncated_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "data.zip")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"data\.zip: truncated or not a zip"):
        load(path)


def test_zip_with_a_damaged_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "data.zip")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("test/ant/0.png")
    content = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(info.filename) + 20
    content[start : start + 8] = b"\0" * 8
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"test/ant/0\.png: damaged in the archive"):
        load(path)


@pytest.mark.parametrize(
    ("make", "split", "message"),
    [
        (lambda root: root / "nowhere", "test", "nowhere: no such file or folder"),
        (lambda root: root, "test", r"no image found; expected test/<class>/<image>"),
        (lambda root: write_folder(root / "d"), "validation", "no split 'validation'; there are 'test', 'train'"),
        (lambda root: write_zip(root / "d.zip"), "validation", "no split 'validation'; there are 'test', 'train'"),
    ],
)
def test_nothing_to_read(tmp_path: Path, make: object, split: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(make(tmp_path), split)


def test_hidden_and_other_files_are_left_aside(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    (root / "test/ant/.hidden.png").write_bytes(b"")
    (root / "test/ant/notes.txt").write_text("notes")
    (root / "test/__MACOSX").mkdir()
    (root / "test/__MACOSX/0.png").write_bytes(b"")
    assert len(load(root)) == 6


def test_real_cifar10(data_dir: Path) -> None:
    images = load(data_dir / "cifar10" / "{split}.zip")
    assert len(images) == 10_000
    assert images.shape == (3, 32, 32)
    assert np.bincount(images.labels).tolist() == [1000] * 10
    assert images.class_names[::9] == ("airplane", "truck")
    pixels = images.pixels(np.arange(0, 10_000, 100))
    assert 0.4 < pixels.mean() < 0.55
    assert pixels.max() <= 1
