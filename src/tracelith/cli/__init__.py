"""The command line. Options and output are a contract that scripts rely on.

Exit codes: 0 fine, 1 findings at or above ``--fail-on``, 2 usage or unreadable input, 3 an analysis failed (the
others still report), 130 interrupted.
"""

import sys
from collections.abc import Sequence

from tracelith.cli.logs import configure_logging
from tracelith.model.errors import AnalysisFailed, TracelithError

__all__ = ["app", "main", "run"]

ANALYSIS_FAILED = 3
INTERRUPTED = 130

try:
    from tracelith.cli.commands import app
except KeyboardInterrupt:  # Ctrl-C while the command line itself is loading
    raise SystemExit(INTERRUPTED) from None


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; an error raised on purpose becomes one message."""
    try:
        app(list(arguments))
    except SystemExit as ended:  # how the library hands over an exit code, 2 for wrong usage
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except AnalysisFailed as failure:
        sys.stderr.write(f"tracelith: {failure}\n")
        return ANALYSIS_FAILED
    except TracelithError as error:
        sys.stderr.write(f"tracelith: {error}\n")
        return 2
    except OSError as error:
        if error.filename is None:  # not about a file that was named: a defect of ours
            raise
        sys.stderr.write(f"tracelith: {error.filename}: {error.strerror}\n")
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def main() -> None:
    """The console script."""
    configure_logging()
    sys.exit(run(sys.argv[1:]))
