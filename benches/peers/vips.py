"""libvips as a worker of the image benchmark: `thumbnail_buffer`, which scales while it decodes."""

import os

os.environ["VIPS_CONCURRENCY"] = "1"  # libvips reads it when it is loaded

import pyvips  # noqa: E402

from worker import serve  # noqa: E402

pyvips.cache_set_max(0)


def render(data, request):
    return [_save(_picture(data, width, request), request) for width in request["widths"]]


def _picture(data, width, request):
    # A tall box leaves the width alone to decide the size.
    small = pyvips.Image.thumbnail_buffer(data, width, height=100_000)
    if request["task"] != "chain":
        return small
    # Saturation of a fifth and contrast of a tenth more, and a line of text with some space around it.
    lch = small.colourspace("lch") * [1, 1.2, 1]
    small = lch.copy(interpretation="lch").colourspace("srgb").linear(1.1, -12.8).cast("uchar")
    mask = pyvips.Image.text("\u00a9 Ada", font="Noto Sans 28", fontfile=os.environ["FONT"])
    letters = mask.new_from_image([255, 255, 255]).bandjoin(mask).copy(interpretation="srgb")
    place = small.width - mask.width - 12, small.height - mask.height - 12
    return small.composite2(letters, "over", x=place[0], y=place[1]).flatten()


def _save(picture, request):
    if request["format"] == "png":
        return picture.pngsave_buffer()
    if request["format"] == "webp":
        return picture.webpsave_buffer(Q=request["quality"])
    return picture.jpegsave_buffer(Q=request["quality"])


serve(f"libvips {pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)}", render)
