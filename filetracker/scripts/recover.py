"""The command ``filetracker-recover``, which comes with a later release."""

import sys


def main(args=None):
    """Says so, and returns the exit status."""
    print('filetracker-recover: comes with a later release of filetracker', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main())
