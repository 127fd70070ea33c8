"""Settings: defaults, every mistake at once, no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.settings import Settings, SettingsError, describe_settings, load_settings, project_folder

SECRET = "s3cr3t-Passwort"


def mistakes(**variables: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(variables)
    assert str(caught.value).count("\n") == len(caught.value.mistakes)
    return caught.value.mistakes


def test_nothing_set_gives_a_platform_in_the_project_folder() -> None:
    settings = load_settings({"PATH": "/bin", "HOME": "/root"})
    assert settings.home == project_folder() / ".yihu"
    assert settings.landing == settings.home / "landing"
    assert settings.key_file == settings.home / "keys" / "field-keys.json"
    assert settings.warehouse_url is None
    assert settings.smtp_url is None
    assert settings.alert_recipients == ()
    assert (settings.field_cipher, settings.accuracy_target, settings.ui_port) == ("AES-256-GCM", "M01", 3000)
    assert (project_folder() / "pyproject.toml").is_file()


def test_everything_set(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "YIHU_HOME": str(tmp_path / "a" / ".." / "home"),
            "YIHU_WAREHOUSE_URL": f"postgresql+psycopg://yihu:{SECRET}@db.example:5433/register?sslmode=require",
            "YIHU_LANDING": str(tmp_path / "in"),
            "YIHU_SMTP_URL": f"smtp+starttls://alarm:{SECRET}%40@mail.example",
            "YIHU_MAIL_FROM": "yihu@example.gov.cn",
            "YIHU_ALERT_RECIPIENTS": "a@example.gov.cn， b@example.gov.cn,",
            "YIHU_KEY_FILE": str(tmp_path / "keys.json"),
            "YIHU_FIELD_CIPHER": "sm4-gcm",
            "YIHU_ACCURACY_TARGET": "M02",
            "YIHU_UI_PORT": "8080",
            "YIHU_STREET_NAME": "望江街道",
        }
    )
    assert settings.home == tmp_path / "home"
    assert settings.landing == tmp_path / "in"
    assert settings.key_file == tmp_path / "keys.json"
    assert settings.warehouse_url is not None
    url = settings.warehouse_url.get_secret_value()
    assert url == f"postgresql://yihu:{SECRET}@db.example:5433/register?sslmode=require"
    server = settings.smtp_url
    assert server is not None
    assert (server.host, server.port, server.security, server.username) == (
        "mail.example",
        587,
        "starttls",
        "alarm",
    )
    assert server.password is not None
    assert server.password.get_secret_value() == f"{SECRET}@"
    assert settings.alert_recipients == ("a@example.gov.cn", "b@example.gov.cn")
    assert settings.field_cipher == "SM4-GCM"
    assert settings.ui_port == 8080
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


def test_relative_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"YIHU_HOME": "here"}).landing == tmp_path / "here" / "landing"


def test_empty_value_is_as_good_as_none(tmp_path: Path) -> None:
    settings = load_settings({"YIHU_HOME": str(tmp_path), "YIHU_UI_PORT": " ", "YIHU_WAREHOUSE_URL": ""})
    assert settings.ui_port == 3000
    assert settings.warehouse_url is None


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load_settings({"YIHU_HOME": str(tmp_path)})
    with pytest.raises(ValidationError):
        settings.ui_port = 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("YIHU_HOEM", "/tmp/x", "是不是 YIHU_HOME"),
        ("YIHU_SMTP", "smtp://h", "是不是 YIHU_SMTP_URL"),
        ("YIHU_Home", "/tmp/x", "是不是 YIHU_HOME"),
        ("YIHU_WHATEVER_ELSE", "1", "请删除"),
        ("YIHU_HOME", "/etc/passwd", "/etc/passwd 不是文件夹"),
        ("YIHU_LANDING", "/etc/passwd", "/etc/passwd 不是文件夹"),
        ("YIHU_KEY_FILE", "/etc", "/etc 是文件夹"),
        ("YIHU_UI_PORT", "abc", "收到“abc”，应为 1 到 65535 的整数"),
        ("YIHU_UI_PORT", "70000", "收到“70000”"),
        ("YIHU_UI_PORT", "0", "收到“0”"),
        ("YIHU_FIELD_CIPHER", "DES", "收到“DES”，应为 AES-256-GCM 或 SM4-GCM"),
        ("YIHU_WAREHOUSE_URL", "mysql://u:p@h/d", "协议是 mysql"),
        ("YIHU_WAREHOUSE_URL", "nonsense", "不是数据库地址"),
        ("YIHU_WAREHOUSE_URL", "postgresql://u:p@h:port/d", "不是数据库地址"),
        ("YIHU_WAREHOUSE_URL", "postgresql://u:p@h", "缺少主机、用户或数据库名"),
        ("YIHU_ALERT_RECIPIENTS", "a@example.cn,nobody", "第 2 个不是邮件地址"),
        ("YIHU_MAIL_FROM", "Yihu <a@b.cn>", "不是邮件地址"),
        ("YIHU_ACCURACY_TARGET", "M 01", "不含空格"),
    ],
)
def test_each_mistake_has_one_line_with_variable_and_remedy(name: str, value: str, said: str) -> None:
    (line,) = mistakes(**{name: value})
    assert line.startswith(f"{name}：")
    assert said in line
    chinese, english = line.split(" | ")
    assert "请" in chinese or "应" in chinese
    assert english.isascii()


@pytest.mark.parametrize(
    "url", ["http://h", "smtp://", "smtp://h:port", "smtp://user@h", "smtp://h/path", "mail.example"]
)
def test_wrong_mail_servers_are_refused(url: str) -> None:
    (line,) = mistakes(YIHU_SMTP_URL=url, YIHU_MAIL_FROM="a@b.cn", YIHU_ALERT_RECIPIENTS="a@b.cn")
    assert line.startswith("YIHU_SMTP_URL：")
    assert "smtp+starttls://" in line


def test_all_mistakes_come_at_once_and_without_secrets() -> None:
    lines = mistakes(
        YIHU_HOEM="x",
        YIHU_UI_PORT="abc",
        YIHU_WAREHOUSE_URL=f"mysql://u:{SECRET}@h/d",
        YIHU_SMTP_URL=f"https://u:{SECRET}@h",
        YIHU_HOME="/etc/passwd",
    )
    assert [line.partition("：")[0] for line in lines] == [
        "YIHU_HOEM", "YIHU_MAIL_FROM", "YIHU_ALERT_RECIPIENTS", "YIHU_HOME", "YIHU_WAREHOUSE_URL", "YIHU_SMTP_URL",
        "YIHU_UI_PORT",
    ]  # fmt: skip
    assert SECRET not in "".join(lines)


def test_unprintable_cause_does_not_carry_the_secret_in_the_traceback() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"YIHU_WAREHOUSE_URL": f"mysql://u:{SECRET}@h/d"})
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_variables_of_dbt_and_tests_are_no_typing_errors(tmp_path: Path) -> None:
    load_settings({"YIHU_HOME": str(tmp_path), "YIHU_DBT_HOST": "h", "YIHU_TEST_BROWSER": "x"})


def test_every_variable_is_described_in_chinese() -> None:
    table = describe_settings()
    assert [row.name for row in table] == [f"YIHU_{name.upper()}" for name in Settings.model_fields]
    for row in table:
        assert row.default
        assert any("一" <= mark <= "龥" for mark in row.meaning), row.name


def test_described_defaults_are_the_real_ones(tmp_path: Path) -> None:
    settings = load_settings({"YIHU_HOME": str(tmp_path)})
    described = {row.name: row.default for row in describe_settings()}
    assert described["YIHU_UI_PORT"] == str(settings.ui_port)
    assert described["YIHU_FIELD_CIPHER"] == settings.field_cipher
    assert described["YIHU_ACCURACY_TARGET"] == settings.accuracy_target
    assert described["YIHU_KEY_FILE"].endswith(str(settings.key_file.relative_to(settings.home)))
    assert described["YIHU_LANDING"].endswith(str(settings.landing.relative_to(settings.home)))
