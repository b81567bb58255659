"""Pillow as a worker of the image benchmark: draft mode (libjpeg's scaled decode), then Lanczos."""

import io

import PIL
from PIL import Image, features

from worker import serve


FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def render(data, request):
    return [_resize(data, width, request) for width in request["widths"]]


def _resize(data, width, request):
    with Image.open(io.BytesIO(data)) as image:
        # Half a pixel goes up, as in sharp: Python's round() would take the even side.
        height = int(image.height * width / image.width + 0.5)
        image.draft("RGB", (width, height))
        resized = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=None)
    output = io.BytesIO()
    resized.save(output, FORMATS[request["format"]], quality=request["quality"])
    return output.getvalue()


library = features.version_feature("libjpeg_turbo") or features.version("jpg")
serve(f"Pillow {PIL.__version__} (libjpeg-turbo {library})", render)
