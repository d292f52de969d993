from imageloom._imaging.kernels.signatures import Readable, Writable

def unfilter(
    filtered: Readable, pixels: Writable, rows: int, row_bytes: int, pixel_bytes: int, /
) -> None: ...
def resize_columns(
    pixels: Readable,
    resized: Writable,
    rows: int,
    columns: int,
    channels: int,
    bounds: Readable,
    weights: Readable,
    /,
) -> None: ...
def resize_rows(
    pixels: Readable,
    resized: Writable,
    rows: int,
    columns: int,
    channels: int,
    bounds: Readable,
    weights: Readable,
    /,
) -> None: ...
def warp(
    pixels: Readable,
    warped: Writable,
    rows: int,
    columns: int,
    channels: int,
    out_rows: int,
    out_columns: int,
    fill: int,
    rounds: bool,
    matrix: Readable,
    /,
) -> None: ...
def has_avx2() -> bool: ...
