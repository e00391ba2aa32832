"""Settings come from defaults, file and environment; whatever is wrong is said on one line."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from screener.domain.caller import NumberClass
from screener.domain.household import SETTABLE, Profile, verdicts_of
from screener.domain.verdict import Verdict
from screener.sections import Callers
from screener.settings import KEYS, SECTIONS, VARIABLES, Settings, SettingsError, load

SHIPPED = Path(__file__).parents[2] / "config" / "screener.toml"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in [name for name in os.environ if name.upper().startswith("SCREENER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


def written(text: str | bytes) -> Path:
    file = Path("given.toml")
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def complaint(path: Path | None) -> str:
    with pytest.raises(SettingsError) as raised:
        load(path)
    line = str(raised.value)
    assert line.isprintable()
    assert len(line) < 400
    return line


def test_without_a_file_the_defaults_hold() -> None:
    settings = load(None)
    assert settings == Settings.model_construct()
    assert settings.call.ring_seconds == 30


def test_the_shipped_file_names_every_key_with_its_default() -> None:
    table = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    named = {
        (name, key) for name, section in table.items() if name in SECTIONS for key in section
    } | {(name,) for name in table if name not in SECTIONS}
    assert named == set(KEYS)
    assert load(SHIPPED) == load(None)


def test_the_file_below_the_current_directory_is_read_unasked() -> None:
    Path("config").mkdir()
    Path("config/screener.toml").write_text("[call]\nring_seconds = 20\n", encoding="utf-8")
    assert load(None).call.ring_seconds == 20


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = written("country = 'JP'\n[call]\nring_seconds = 20\nmax_calls = 7\n")
    monkeypatch.setenv("SCREENER_CALL__RING_SECONDS", "45")
    monkeypatch.setenv("SCREENER_COUNTRY", "gb")
    monkeypatch.setenv("SCREENER_RECORDINGS__RECORD_KNOWN", "true")
    monkeypatch.setenv("SCREENER_TRUNK_FORMAT", "e164")
    settings = load(file)
    assert (settings.call.ring_seconds, settings.call.max_calls) == (45, 7)
    assert (settings.country, settings.trunk_format) == ("GB", "e164")
    assert settings.recordings.record_known is True


def test_a_file_saved_with_byte_order_mark_and_crlf_is_read() -> None:
    assert load(written(b"\xef\xbb\xbf[call]\r\nring_seconds = 20\r\n")).call.ring_seconds == 20


@pytest.mark.parametrize("source", ["file", "environment"])
def test_no_fraud_list_and_an_empty_password_file_mean_none(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = None
    if source == "file":
        file = written("[lists]\nfraud = []\n[asterisk]\npassword_file = ''")
    else:
        monkeypatch.setenv("SCREENER_LISTS__FRAUD", "[]")
        monkeypatch.setenv("SCREENER_ASTERISK__PASSWORD_FILE", "")
    settings = load(file)
    assert settings.lists.fraud == ()
    assert settings.asterisk.password_file is None


@pytest.mark.parametrize("source", ["file", "environment"])
def test_each_fraud_list_is_a_table_of_its_own(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = None
    if source == "file":
        file = written(
            "[lists]\nown = ['03-1234-5678']\n"
            "[[lists.fraud]]\nname = 'a'\nsource = 'lists/'\n"
            "[[lists.fraud]]\nname = 'b'\nsource = 'https://h/x?y=1'\nformat = 'ftc'\n"
        )
    else:
        monkeypatch.setenv("SCREENER_LISTS__OWN", '["03-1234-5678"]')
        monkeypatch.setenv(
            "SCREENER_LISTS__FRAUD",
            '[{"name": "a", "source": "lists/"},'
            ' {"name": "b", "source": "https://h/x?y=1", "format": "ftc"}]',
        )
    found = load(file).fraud_lists().sources
    assert [(each.place, each.format, each.remote) for each in found.values()] == [
        ("lists/", "csv", False),
        ("https://h/x?y=1", "ftc", True),
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name = '..'\nsource = 'x'", "[lists] fraud 1: name: '..' is not allowed"),
        ("source = 'x'", "[lists] fraud 1: name is missing: 1 to 64 letters"),
        ("name = 'a'", "[lists] fraud 1: source is missing: the path of"),
        ("name = 'a b'\nsource = 'x'", "fraud 1: name: 'a b' is not allowed; allowed is 1 to 64"),
        ("name = 'a'\nsource = ''", "fraud 1: source: '' is not allowed; allowed is the path"),
        ("name = 'a'\nsource = 'ftp://h/x'", "fraud 1: source: 'ftp://h/x' is not allowed"),
        ("name = 'a'\nsource = 'https://u:secret@h/'", "source: what stands there is not allowed"),
        ("name = 'a'\nsource = 'x'\nformat = 'xml'", "format: 'xml' is not allowed; allowed is"),
        ("name = 'a'\nsource = 'x'\nkey = 'RW'", "key: 'RW' is not allowed; allowed is a public"),
        ("name = 'a'\nsource = 'x'\nleast_reports = 0", "least_reports: 0 is not allowed"),
        (
            "name = 'a'\nsource = 'x'\nformats = 'csv'",
            "1: formats: no such setting; there are name",
        ),
        (
            "name = 'a'\nsource = 'x'\n[[lists.fraud]]\nname = 'a'\nsource = 'y'",
            "a name of its own",
        ),
    ],
)
def test_what_is_wrong_in_a_fraud_list_is_named_with_its_key(table: str, said: str) -> None:
    assert said in complaint(written(f"[[lists.fraud]]\n{table}\n"))


def test_a_number_of_the_household_that_is_none_is_told() -> None:
    settings = load(written("[lists]\nown = ['x']"))
    with pytest.raises(SettingsError, match=r"^\[lists\] own: not a telephone number"):
        settings.fraud_lists()


def test_every_class_that_a_household_decides_about_is_a_setting() -> None:
    assert set(Callers.model_fields) == set(SETTABLE)


def test_what_happens_to_callers_on_a_fraud_list_is_a_setting() -> None:
    assert load(written("")).household().on_fraud_list is Verdict.BLOCK
    file = written("[lists]\nverdict = 'message'\n")
    assert load(file).household().on_fraud_list is Verdict.MESSAGE


def test_a_household_is_its_profile_and_where_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(
        "profile = 'careful'\n[callers]\nmobile = 'pass'\nwithheld = 'block'\n"
        "[hours]\nquiet = ['22:00-07:00']\nverdict = 'block'\n"
    )
    monkeypatch.setenv("SCREENER_CALLERS__WITHHELD", "screen")
    household = load(file).household()
    own = {NumberClass.MOBILE: Verdict.PASS, NumberClass.WITHHELD: Verdict.SCREEN}
    assert household.verdicts == {**verdicts_of(Profile.CAREFUL), **own}
    assert len(household.quiet) == 1
    assert household.quiet_verdict is Verdict.BLOCK
    assert household.enforced
    monkeypatch.setenv("SCREENER_PROFILE", "watch_only")
    monkeypatch.setenv("SCREENER_HOURS__QUIET", '["sat, sun 13:00-15:00", "22:00-07:00"]')
    assert not load(file).household().enforced
    assert len(load(file).household().quiet) == 2


def test_settings_cannot_be_changed_and_do_not_show_the_password() -> None:
    settings = load(written("[asterisk]\npassword = 'hunter2'"))
    with pytest.raises(ValueError, match="frozen"):
        settings.country = "US"
    with pytest.raises(ValueError, match="frozen"):
        settings.call.max_calls = 3
    assert "hunter2" not in repr(settings)


def test_the_address_of_a_book_stays_as_it_is_given() -> None:
    file = written('[books]\ncarddav = "https://example.org/home/"\n')
    assert load(file).books.carddav == "https://example.org/home/"


def test_the_password_of_a_book_is_the_first_line_of_its_file() -> None:
    Path("secret").write_text("hunter2\nmore\n", encoding="utf-8")
    settings = load(written('[books]\npassword_file = "secret"\n'))
    assert settings.books_password().get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)


def test_a_book_without_a_password_file_has_an_empty_password() -> None:
    settings = load(written('[books]\npassword_file = ""\n'))
    assert settings.books_password().get_secret_value() == ""


def test_a_password_file_of_a_book_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^state/secrets/carddav-password: no such file$"):
        load(None).books_password()


WRONG = [
    ("country", "5"),
    ("country", "'Japan'"),
    ("country", "''"),
    ("language", "'../x'"),
    ("language", "'ja\\n'"),
    ("language", "['ja']"),
    ("trunk_format", "'E.164'"),
    ("trunk_format", "1"),
    ("profile", "'friendly'"),
    ("profile", "1"),
    *[(f"callers.{each}", "'allow'") for each in SETTABLE],
    ("callers.withheld", "true"),
    ("hours.quiet", "'22:00-07:00'"),
    ("hours.quiet", "['22-7']"),
    ("hours.quiet", "[22]"),
    ("hours.verdict", "'pass'"),
    ("hours.verdict", "''"),
    ("asterisk.url", "8088"),
    ("asterisk.url", "'127.0.0.1:8088'"),
    ("asterisk.url", "'ftp://127.0.0.1'"),
    ("asterisk.url", "'http://'"),
    ("asterisk.url", "'http://h:99999'"),
    ("asterisk.url", "'http://h:0'"),
    ("asterisk.url", "'http://h:eight'"),
    ("asterisk.url", "'http://[::1'"),
    ("asterisk.url", "'http://user:secret@h:8088'"),
    ("asterisk.url", "'http://h:8088/?api_key=x'"),
    ("asterisk.url", "'http://h\\n:8088'"),
    ("asterisk.url", "'http://h h:8088'"),
    ("asterisk.application", "''"),
    ("asterisk.application", "'a&b'"),
    ("asterisk.application", "'screener,2'"),
    ("asterisk.application", f"'{'a' * 49}'"),
    ("asterisk.user", "'a b'"),
    ("asterisk.user", "true"),
    ("asterisk.password", "12345"),
    ("asterisk.password_file", "7"),
    ("database.path", "''"),
    ("database.path", "false"),
    ("database.path", "'a\\u0000b'"),
    ("recordings.directory", "''"),
    ("recordings.record_known", "'yes'"),
    ("recordings.record_known", "1"),
    ("recordings.reserve_mb", "-1"),
    ("recordings.reserve_mb", "0.5"),
    ("prompts.directory", "{a = 1}"),
    ("known.dialled", "1"),
    ("known.days", "-1"),
    ("known.days", "3651"),
    ("books.carddav", "'contacts.example.org'"),
    ("books.carddav", "'https://user:secret@h/'"),
    ("books.user", "'a:b'"),
    ("books.user", "7"),
    ("books.password_file", "7"),
    ("books.name", "''"),
    ("books.name", "'a b'"),
    ("books.sync_hours", "-1"),
    ("books.sync_hours", "6.5"),
    ("lists.fraud", "'config/fraud-list.csv'"),
    ("lists.fraud", "7"),
    ("lists.fraud", "['x']"),
    ("lists.own", "[7]"),
    ("lists.shortest", "0"),
    ("lists.shortest_domestic", "16"),
    ("lists.update_hours", "'daily'"),
    ("lists.directory", "''"),
    ("lists.most_megabytes", "0"),
    ("lists.most_numbers", "1.5"),
    ("lists.largest_change", "-1"),
    ("lists.smallest_change", "-1"),
    ("lists.verdict", "'pass'"),
    ("call.ring_seconds", "4"),
    ("call.ring_seconds", "121"),
    ("call.ring_seconds", "'30'"),
    ("call.ring_seconds", "30.0"),
    ("call.ring_seconds", "nan"),
    ("call.ring_seconds", "2026-11-22"),
    ("call.message_seconds", "9"),
    ("call.message_seconds", "601"),
    ("call.max_calls", "0"),
    ("call.max_calls", "1001"),
    ("call.max_calls", "true"),
    ("log.format", "'xml'"),
    ("log.level", "'INFO'"),
    ("log.level", "10"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_in_the_file_is_named_with_file_key_and_what_is_allowed(
    key: str, value: str
) -> None:
    value = value.replace("'", '"')
    line = complaint(written(f"{key} = {value}\n"))
    *section, name = key.split(".")
    place = f"[{section[0]}] {name}" if section else name
    assert line.startswith(f"given.toml: {place}: ")
    assert line.endswith(f"allowed is {KEYS[*section, name].description}")


def test_every_key_but_free_text_is_tried_with_a_wrong_value() -> None:
    assert {tuple(key.split(".")) for key, _ in WRONG} == set(KEYS)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SCREENER_COUNTRY", "XX"),
        ("SCREENER_TRUNK_FORMAT", ""),
        ("SCREENER_ASTERISK__URL", "localhost"),
        ("SCREENER_DATABASE__PATH", ""),
        ("SCREENER_DATABASE__PATH", "\udcff"),
        ("SCREENER_RECORDINGS__RECORD_KNOWN", "perhaps"),
        ("SCREENER_CALL__RING_SECONDS", ""),
        ("SCREENER_CALL__RING_SECONDS", "soon"),
        ("SCREENER_CALL__RING_SECONDS", "1e1"),
        ("SCREENER_CALL__RING_SECONDS", "9" * 10_000),
        ("SCREENER_CALL__MAX_CALLS", "-1"),
        ("SCREENER_LOG__LEVEL", "loud\x1b[31m\n"),
        ("SCREENER_HOURS__QUIET", "22:00-07:00"),
        ("SCREENER_HOURS__QUIET", "[" * 100_000),
        ("SCREENER_CALLERS__MOBILE", "maybe"),
    ],
)
def test_a_wrong_value_in_the_environment_is_named_with_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    line = complaint(None)
    assert line.startswith(f"{variable}: ")
    assert line.endswith(f"allowed is {KEYS[VARIABLES[variable]].description}")


@pytest.mark.parametrize(
    "variable",
    [
        "SCREENER_RING_SECONDS",
        "SCREENER_CALL",
        "SCREENER_CALL__",
        "SCREENER_CALL__RING",
        "SCREENER_CALL__RING_SECONDS__X",
        "SCREENER_",
        "screener_call",
    ],
)
def test_an_unknown_variable_is_refused_without_showing_its_value(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, '{"ring_seconds": "hunter2"}')
    line = complaint(None)
    assert line.startswith(f"{variable}: no such setting")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("colour = 'hunter2'", "colour"),
        ("[phone]\nx = 'hunter2'", "phone"),
        ("[call]\nring = 'hunter2'", "[call] ring"),
        ("[call.ring_seconds_]\nx = 'hunter2'", "[call] ring_seconds_"),
        ('"a\\u001b[31m\\n" = "hunter2"', r"a\x1b[31m\n"),
    ],
)
def test_an_unknown_key_is_refused_with_the_known_ones_and_without_its_value(
    text: str, place: str
) -> None:
    line = complaint(written(text))
    assert line.startswith(f"given.toml: {place}: no such setting; there are ")
    assert ("ring_seconds" if "[call" in text else "[call]") in line
    assert "hunter2" not in line


@pytest.mark.parametrize("text", ["call = 5", "[[call]]\nring_seconds = 20"])
def test_a_section_that_is_none_is_refused_even_where_a_variable_would_win(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENER_CALL__RING_SECONDS", "45")
    assert complaint(written(text)) == "given.toml: call: is a section, written [call]"


@pytest.mark.parametrize("text", ["password = 12345", "url = 'http://me:12345@host:8088'"])
def test_a_wrong_password_is_refused_without_showing_it(text: str) -> None:
    assert "12345" not in complaint(written(f"[asterisk]\n{text}"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ring_seconds: 30", "not TOML: .*line 1"),
        ("[call]\nring_seconds = 20\nring_seconds = 30", "not TOML: Cannot overwrite a value"),
        ("x = " + "[" * 50_000, "not TOML"),
        ("x = " + "9" * 10_000, "not TOML|no such setting"),
        (b"\xff\xfe\x00c", "not text in UTF-8"),
        (b"a\x00b = 1", "not TOML"),
        ("# " + "x" * 1_000_001, "over 1000000 characters"),
    ],
)
def test_a_file_that_is_no_settings_file_is_named(text: str | bytes, reason: str) -> None:
    line = complaint(written(text))
    assert line.startswith("given.toml: ")
    assert re.search(reason, line)


def test_a_missing_file_a_directory_and_an_endless_device_are_refused() -> None:
    assert complaint(Path("nowhere.toml")) == "nowhere.toml: no such file"
    assert complaint(Path()) == ".: cannot be read: Is a directory"
    assert complaint(Path("/dev/zero")) == "/dev/zero: over 1000000 characters, not such a file"
    Path("config").write_text("", encoding="utf-8")
    assert complaint(None) == "config/screener.toml: cannot be read: Not a directory"


def test_the_password_goes_before_its_file_and_the_file_is_read_to_its_first_line() -> None:
    secret = Path("secret")
    file = written("[asterisk]\npassword_file = 'secret'")
    secret.write_text("  from-file \nrest\n", encoding="utf-8")
    assert load(file).ari_password().get_secret_value() == "from-file"
    file = written("[asterisk]\npassword = 'own'\npassword_file = 'secret'")
    assert load(file).ari_password().get_secret_value() == "own"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("password_file = ''", "neither password nor password_file"),
        ("password_file = 'missing'", "missing: no such file"),
        ("password_file = 'empty'", "empty: the first line is the ARI password"),
        ("password_file = '.'", r"\.: cannot be read"),
    ],
)
def test_a_password_that_cannot_be_had_is_said_on_one_line(text: str, reason: str) -> None:
    Path("empty").write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=reason):
        load(written(f"[asterisk]\n{text}")).ari_password()
