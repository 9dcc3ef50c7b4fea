"""Values that people would rather look at, as images; and what must not pass for one."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np

from include.xcom_viewer import images
from tests.xcom_viewer.memory import ViewerInMemory
from tests.xcom_viewer.test_pages import state

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>" + b" " * 2_000
IMAGES = {
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(2_000),
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(2_000),
    "image/gif": b"GIF89a" + bytes(2_000),
    "image/webp": b"RIFF\0\0\0\0WEBP" + bytes(2_000),
    "image/svg+xml": SVG,
}


def pixels(picture):
    """What a PNG without filters holds; checked against its checksums."""
    data, found = io.BytesIO(base64.b64decode(picture)), {}
    assert data.read(8) == b"\x89PNG\r\n\x1a\n"
    while head := data.read(8):
        length, name = struct.unpack(">I4s", head)
        found[name] = data.read(length)
        assert struct.unpack(">I", data.read(4))[0] == zlib.crc32(name + found[name])
    width, height, depth, colours, *_ = struct.unpack(">IIBBBBB", found[b"IHDR"])
    channels = {0: 1, 2: 3, 6: 4}[colours]
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, -1)
    assert depth == 8
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape((height, width, channels) if channels > 1 else (height, width))


def show(array):
    memory = ViewerInMemory()
    return memory.show(memory.push(array)).content


def pictures(array):
    """By title, what is shown of an array: its pixels, and how they were made."""
    return {found.title: (pixels(found.png), found.words) for found in show(array).pictures}


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_bytes_are_pixels(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for order in "CF":
        [(title, (shown, words))] = pictures(np.asarray(array, order=order)).items()
        assert (title, words) == ("Image", "")
        assert (shown == array).all()


def test_floats_are_scaled():
    unit = np.linspace(0, 1, 20 * 30).reshape(20, 30)
    grey = (unit * 255).round().astype("u1")
    assert (pictures(unit)["Image"][0] == grey).all()
    shown, words = pictures(unit * 10 - 5)["Image"]
    assert (shown == grey).all()
    assert words == "black is -5, white 5"
    unit[0, 0] = np.nan
    assert pictures(unit)["Image"][0][0, 0] == 0


def test_a_large_one_is_thinned():
    array = np.arange(1_500 * 1_200, dtype=np.uint64).astype(np.uint8).reshape(1_500, 1_200)
    shown, words = pictures(array)["Image"]
    assert shown.shape == (500, 400)
    assert "every 3rd pixel" in words


@pytest.mark.parametrize("array", [
    np.zeros((2_000, 4)), np.zeros((20, 20), int), np.zeros((20, 20, 2), "u1"), np.zeros(400, "u1"),
    np.zeros((20, 20, 3, 1), "u1"), np.zeros((0, 20)), np.zeros((3_000, 3_000), "u1"),
], ids=lambda array: str(array.shape))  # fmt: skip
def test_what_is_no_image(array):
    assert "Image" not in pictures(array)


VIOLET, YELLOW, GREY = [0x44, 0x01, 0x54], [0xFD, 0xE7, 0x25], [128] * 3


@pytest.mark.parametrize("dtype", ["i8", "u8", "f2", "f4", "f8", "g", "?", ">f8"])
@pytest.mark.parametrize("order", "CF")
def test_a_matrix_is_a_heat_map(dtype, order):
    shown, words = pictures(np.asarray([[0, 0, 1], [0, 1, 1]], dtype, order=order))["Heat map"]
    assert shown.tolist() == [[VIOLET, VIOLET, YELLOW], [VIOLET, YELLOW, YELLOW]]
    assert words == "violet is 0, yellow 1"


def test_a_heat_map_of_extremes():
    shown, words = pictures(np.array([[-1e308, 1e308], [np.nan, np.inf]]))["Heat map"]
    assert shown.tolist() == [[VIOLET, YELLOW], [GREY, GREY]]
    assert words == "violet is -1e+308, yellow 1e+308; grey is missing or infinite"
    assert pictures(np.full((3, 3), 7))["Heat map"][0].tolist() == [[VIOLET] * 3] * 3


def test_a_heat_map_of_a_large_matrix_is_of_its_first_rows_and_says_so():
    array = np.repeat(np.arange(5_000), 300).reshape(5_000, 300)
    shown, words = pictures(array)["Heat map"]
    rows = (4 * 1024 * 1024 - 16 * 1024) // 8 // 300
    assert f"the first {rows:,} of 5,000 rows; every 4th row" in words
    assert shown.shape == (-(-rows // 4), 300, 3)
    assert shown[0, 0].tolist() == VIOLET
    assert "Heat map" not in pictures(np.asarray(array, order="F"))  # of which few columns are read


@pytest.mark.parametrize("kind", IMAGES)
def test_bytes_that_are_an_image(viewer, kind):
    record = viewer.push(IMAGES[kind])
    page = viewer.get("value")
    assert "as=image" in page.text
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    answer = viewer.get("download", **{"as": "image"})
    assert answer.content == IMAGES[kind]
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    how = "attachment" if kind == images.SVG else "inline"
    assert answer.headers["content-disposition"].startswith(how)
    assert record["codec"] == "python-bytes"


def test_bytes_that_are_none(viewer):
    for key, value in {
        "bytes": bytes(2_000), "html": b"<html>" + b" " * 2_000, "text": ["x" * 2_000],
        "large": b"GIF89a" + bytes(images.MAX_BYTES),
    }.items():  # fmt: skip
        viewer.push(value, key=key)
        assert "as=image" not in viewer.get("value", key=key).text
        assert viewer.get("download", key=key, **{"as": "image"}).status_code == 404
    assert viewer.get("download", key="bytes").status_code == 200  # its place was given back


def test_a_changed_image_is_none(viewer):
    import obstore

    record = viewer.push(IMAGES["image/png"])
    obstore.put(viewer.s3.client, viewer.key(record), IMAGES["image/png"][:-1] + b"x")
    answer = viewer.get("download", **{"as": "image"})
    assert (answer.status_code, state(answer)) == (502, "corrupt")
