"""Builds the images of the Dockerfile with buildah, without an engine and without a registry."""

import ast
import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from images import ImagesError

BASE = "docker.io/library/debian:forky-slim"
SUITE = "forky"
# A mirror that lags serves a list of packages past its date. Its signature is still checked.
LAGGING = '--aptopt=Acquire::Check-Valid-Until "false"'
BUILD_LIMIT = 900  # seconds


class Buildah:
    """Images and containers below one directory; nothing is left when that is removed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._answer, self._log = directory / "answer", directory / "log"
        self._environment = os.environ | {"TMPDIR": str(directory)}
        # vfs, because overlay file systems do not nest everywhere.
        self._buildah = ["buildah", "--storage-driver", "vfs"]
        self._buildah += ["--root", str(directory / "storage")]
        self._buildah += ["--runroot", str(directory / "run")]

    async def make_base(self) -> bool:
        """Make the base image from Debian's packages; say whether the mirror was in time."""
        tar = self._directory / "base.tar"
        command = ["mmdebstrap", "--variant=minbase", SUITE, str(tar)]
        in_time = await self._run(command, must=False)
        if not in_time:
            await self._run([*command[:2], LAGGING, *command[2:]])
        container = await self._say("from", "scratch")
        await self._say("add", "--quiet", container, str(tar), "/")
        await self._say("commit", "--quiet", "--rm", container, BASE)
        tar.unlink()
        return in_time

    async def build(self, top: Path, target: str, image: str) -> None:
        """Build one target of the Dockerfile from the directory ``top``, as ``image``."""
        options = ["--isolation", "chroot", "--pull-never", "--layers=false", "--format", "docker"]
        for outside, inside in self._pip_configuration():
            options += ["--volume", f"{outside}:{inside}:ro"]
        await self._run(
            [*self._buildah, "bud", *options, "--target", target, "-t", image, str(top)]
        )

    async def settings(self, image: str) -> dict[str, Any]:
        """Return what the image says about running it: User, Cmd, Env, Volumes, Healthcheck."""
        whole = json.loads(await self._say("inspect", "--type", "image", image))
        settings: dict[str, Any] = whole["Docker"]["config"]
        return settings

    async def mount(self, image: str) -> Path:
        """Return the root directory of a new container of the image."""
        container = await self._say("from", "--pull-never", image)
        return Path(await self._say("mount", container))

    async def _say(self, *arguments: str) -> str:
        """Run buildah and return the one line that it answers."""
        await self._run([*self._buildah, *arguments])
        return self._answer.read_text(encoding="utf-8").strip()

    async def _run(self, command: Sequence[str], *, must: bool = True) -> bool:
        """Run a command to its end; where we are stopped before, all it started ends first."""
        with self._log.open("wb") as log, self._answer.open("wb") as answer:
            running = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=answer,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(BUILD_LIMIT):
                code = await running.wait()
        except TimeoutError:
            raise ImagesError(f"no end of {' '.join(command)} in {BUILD_LIMIT} s") from None
        finally:
            if running.returncode is None:
                os.killpg(running.pid, signal.SIGKILL)
                await running.wait()
        if code and must:
            said = [
                line
                for file in (self._answer, self._log)
                for line in file.read_text(errors="replace").splitlines()[-30:]
            ]
            raise ImagesError("\n".join([f"{' '.join(command)} failed:", *said]))
        return code == 0

    def _pip_configuration(self) -> list[tuple[Path, str]]:
        """Let pip in the build get packages from where this machine's pip gets them.

        Mounted while building, so that nothing of it stands in an image.
        """
        asked = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said: dict[str, str] = {}
        for line in asked.stdout.splitlines():
            key, _, value = line.partition("=")
            said[key.rpartition(".")[2]] = str(ast.literal_eval(value))
        authorities = said.pop("cert", None) or ssl.get_default_verify_paths().cafile
        names = ("index-url", "extra-index-url", "find-links", "trusted-host", "proxy")
        chosen = {name: said[name] for name in names if name in said}
        # Of a local index the directory /one/two: its files lie beside it.
        places = {
            Path(
                *Path(word.removeprefix("file://")).parts[:3]
            )  # /one/two: files lie beside indexes
            for name in names[:3]
            for word in chosen.get(name, "").split()
            if word.removeprefix("file://").startswith("/")
        }
        mounts = [(place, str(place)) for place in sorted(places) if place.is_dir()]
        if authorities and Path(authorities).is_file():
            # Not at its own path: that belongs to a package which the build installs.
            mounts.append((Path(authorities), "/run/pip/authorities.pem"))
            chosen["cert"] = "/run/pip/authorities.pem"
        file = self._directory / "pip.conf"
        file.write_text("\n".join(["[global]", *(f"{k} = {v}" for k, v in chosen.items()), ""]))
        return [*mounts, (file, "/etc/pip.conf")]
