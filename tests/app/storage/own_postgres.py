"""A PostgreSQL server of a test's own, whose processes it may kill: a killed backend makes the whole server restart."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ACCOUNT = "postgres"
"""PostgreSQL does not run as root."""


@contextmanager
def own_server() -> Iterator[str]:
    """Give the URL of an empty server on a socket, gone afterwards; skip where its programs are not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = str(programs[-1] / "initdb") if programs else shutil.which("initdb")
    if found is None:
        pytest.skip("the programs of a PostgreSQL server are not installed here")
    bin_folder = Path(found).parent
    account = _ACCOUNT if os.geteuid() == 0 else None
    if account is not None and _ACCOUNT not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("this is root, and there is no account that PostgreSQL could run under")
    folder = Path(tempfile.mkdtemp(prefix="vouch-pg-"))
    try:
        if account is not None:
            shutil.chown(folder, account)
        data = folder / "data"
        init = [found, "-D", str(data), "-A", "trust", "-U", _ACCOUNT, "--no-sync"]
        subprocess.run(init, user=account, check=True, capture_output=True, cwd=folder)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c restart_after_crash=on"
        if bin_folder.parent.name >= "14":  # else a recovery flushes every file by itself
            options += " -c recovery_init_sync_method=syncfs"
        control = [str(bin_folder / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
        subprocess.run([*control, "-o", options, "start"], user=account, check=True, capture_output=True, cwd=folder)
        try:
            yield f"postgresql://{_ACCOUNT}@/postgres?host={folder}"
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, user=account, check=True, capture_output=True, cwd=folder)
    finally:
        shutil.rmtree(folder)
