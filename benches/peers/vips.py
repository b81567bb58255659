"""libvips as a worker of the image benchmark: `thumbnail_buffer`, which scales while it decodes."""

import os

os.environ["VIPS_CONCURRENCY"] = "1"  # libvips reads it when it is loaded

import pyvips  # noqa: E402

from worker import serve  # noqa: E402

pyvips.cache_set_max(0)


def render(data, widths, quality):
    # A tall box leaves the width alone to decide the size.
    return [
        pyvips.Image.thumbnail_buffer(data, width, height=100_000).jpegsave_buffer(Q=quality) for width in widths
    ]


serve(f"libvips {pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)}", render)
