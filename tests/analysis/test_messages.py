"""What one process sends is what the other receives, whatever its size."""

import multiprocessing
import threading

import polars as pl
from polars.testing import assert_frame_equal

from tracelith.analysis.running.messages import LARGE_BYTES, receive, send


def through_a_pipe(message: object) -> object:
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        sending = threading.Thread(target=send, args=(ours, message))
        sending.start()
        received = receive(theirs)
        sending.join()
    return received


def test_large_frames_arrive_as_small_ones_do() -> None:
    small = pl.DataFrame(
        {
            "text": ["shop", None, "a name that is longer than twelve characters"],
            "code": pl.Series([0, 2**64 - 1, None], dtype=pl.UInt64),
            "weight": pl.Series([None, 0.5, 1.0], dtype=pl.Float32),
            "known": [True, None, False],
        }
    )
    large = pl.concat([small, *([small[1:]] * (LARGE_BYTES // 32))])
    assert large.estimated_size() > LARGE_BYTES

    received = through_a_pipe({"small": small, "large": large, "cut": large[5:-7], "empty": large.clear()})

    assert isinstance(received, dict)
    assert_frame_equal(received["small"], small)
    assert_frame_equal(received["large"], large)
    assert_frame_equal(received["cut"], large[5:-7])
    assert_frame_equal(received["empty"], large.clear())
