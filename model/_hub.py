"""Fetches files of one hub repository into a folder: ``python -m model._hub REPOSITORY FOLDER FILE...``.

A process of its own, so that a hub that neither answers nor refuses can simply be ended, and its library's settings and
progress bars touch nobody else. Exit status 0: all files are there; 3: the hub does not answer; 4: it refuses.
"""

from __future__ import annotations

import sys

import httpx
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

__all__ = ["REFUSED", "UNREACHABLE", "main"]

UNREACHABLE = 3
REFUSED = 4
_CONNECT_S = 4.0
"""A hub that can be reached answers in well under a second; a network that drops packets must not hold up the start."""


def main(argv: list[str]) -> int:
    """Fetch; return the exit status."""
    repository, folder, *files = argv
    try:
        httpx.head(constants.ENDPOINT, timeout=_CONNECT_S)
        for file in files:
            hf_hub_download(repository, file, local_dir=folder, etag_timeout=_CONNECT_S)
    except (httpx.TransportError, LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError) as error:
        print(f"unreachable: {type(error).__name__}: {error}", file=sys.stderr)
        return UNREACHABLE
    except HfHubHTTPError as error:
        print(f"refused: {type(error).__name__}: {error}", file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
