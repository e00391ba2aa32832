"""Looking something up writes nothing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from screener import cli, service


@pytest.mark.parametrize("words", [["calls"], ["check", "0312345678"]])
def test_a_lookup_before_the_first_start_leaves_no_database(
    tmp_path: Path, words: list[str]
) -> None:
    database = tmp_path / "state" / "screener.db"
    settings = tmp_path / "screener.toml"
    settings.write_text(f'[database]\npath = "{database}"\n', encoding="utf-8")
    given = ["--config", str(settings)]
    looked_up = CliRunner().invoke(cli.build(service.load), [*given, *words])
    assert looked_up.exit_code == 0
    assert not database.parent.exists()
    CliRunner().invoke(cli.build(service.load), [*given, "allow", "0312345678"])
    assert database.exists()
