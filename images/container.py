"""Runs what is in an image as compose.yaml says: its user, its volumes, nothing else to write."""

import asyncio
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from images import ImagesError
from images.compose import Service
from lab.process import Process

HEALTH_LIMIT = 30  # seconds
COMMAND_LIMIT = 30
STOP_LIMIT = 40  # more than the longest stop_grace_period


class Container:
    """One service, in the root directory of its image; ``async with`` starts and stops it.

    Its namespaces for mounts and for the host's name are its own, the network is the host's, as
    compose.yaml has it. ``volumes`` is where named volumes lie, ``top`` where compose.yaml does.
    """

    def __init__(
        self, service: Service, settings: dict[str, Any], root: Path, volumes: Path, top: Path
    ) -> None:
        self.name = service.name
        self._service = service
        self._settings = settings
        self._root = root
        self._log = volumes / f"{service.name}.log"
        self._hosts = volumes / f"{service.name}.hosts"
        lines = [f"{address} {name}" for name, address in service.hosts]
        self._hosts.write_text("\n".join([Path("/etc/hosts").read_text(), *lines, ""]))
        self._mounts = [(self._hosts, "/etc/hosts", True)]
        for volume in service.volumes:
            place = volumes / volume.source if volume.named else top / volume.source
            if volume.named and not place.exists():
                self._fill(place, volume.inside)
            elif not place.exists():  # the engine makes an empty directory of what is missing
                place = volumes / f"{service.name}.empty"
                place.mkdir()
            self._mounts.append((place, volume.inside, volume.read_only))
            (root / volume.inside.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self._process: Process | None = None

    def _fill(self, place: Path, inside: str) -> None:
        """Let a new volume begin as the engine does: with the owner of the directory it covers."""
        covered = self._root / inside.lstrip("/")
        place.mkdir()
        shutil.copystat(covered, place)
        shutil.chown(place, covered.stat().st_uid, covered.stat().st_gid)

    async def __aenter__(self) -> Self:
        self._process = Process(
            self.name,
            self._command(self._settings["Entrypoint"] + self._settings["Cmd"]),
            log=self._log,
            environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        try:
            await self._healthy()
        except BaseException:
            await self._process.stop(STOP_LIMIT)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is None:
            return
        code = await self._process.stop(STOP_LIMIT)
        if code:
            raise ImagesError(f"{self.name} ended with {code}:\n{self._process.tail()}")

    async def run(self, *command: str) -> tuple[int, str]:
        """Run a command beside what runs in it; return its exit code and all that it printed."""
        asked = await asyncio.create_subprocess_exec(
            *self._command(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(COMMAND_LIMIT):
                said, _ = await asked.communicate()
        except TimeoutError:
            asked.kill()
            await asked.wait()
            raise ImagesError(f"{self.name}: no end of {command} in {COMMAND_LIMIT} s") from None
        return asked.returncode or 0, said.decode(errors="replace")

    async def _healthy(self) -> None:
        kind, *test = self._settings["Healthcheck"]["Test"]
        command = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
        said = ""
        try:
            async with asyncio.timeout(HEALTH_LIMIT):
                while self._process is not None and self._process.exit_code is None:
                    code, said = await self.run(*command)
                    if code == 0:
                        return
                    await asyncio.sleep(0.2)  # an engine asks again, too
        except TimeoutError:
            pass
        tail = self._process.tail() if self._process else ""
        raise ImagesError(f"{self.name} is not healthy:\n{said}\nIts log ends:\n{tail}")

    def _command(self, inside: Sequence[str]) -> list[str]:
        """Return the command that becomes ``inside``, a command in the container."""
        root = str(self._root)
        user, group = self._settings["User"].split(":")
        steps = [f"hostname {shlex.quote(self._service.hostname)}"] * bool(self._service.hostname)
        steps += [f"mount --bind {root} {root}"]
        steps += [f"mount --rbind /{name} {root}/{name}" for name in ("proc", "dev")]
        steps += [f"mount --bind /etc/resolv.conf {root}/etc/resolv.conf"]
        steps += [f"mount -t tmpfs tmpfs {root}{place}" for place in self._service.tmpfs]
        for outside, place, read_only in self._mounts:
            steps += [f"mount --bind {shlex.quote(str(outside))} {root}{place}"]
            steps += [f"mount -o remount,bind,ro {root}{place}"] * read_only
        steps += [f"mount -o remount,bind,ro {root}"]
        variables = [*self._settings["Env"]]
        variables += [f"{name}={value}" for name, value in self._service.environment.items()]
        become = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]
        become += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        become += ["--pdeathsig", "TERM", "--"]
        enter = ["chroot", root, "env", "--ignore-environment"]
        enter += [f"--chdir={self._settings['WorkingDir']}", *variables, *become, *inside]
        script = " && ".join([*steps, f"exec {shlex.join(enter)}"])
        return ["unshare", "--mount", "--uts", "sh", "-c", script]
