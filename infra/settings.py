"""Settings of one platform: the only reader of the environment, every variable declared and explained once.

Figures of the programme (targets, limits, frequencies) are no settings; they are dbt seeds.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from infra.errors import PermanentError
from infra.protection import FieldCipher

PREFIX: Final = "YIHU_"
# Set by the platform for dbt, and by developers for tests; nobody's typing errors.
_FOREIGN_PREFIXES: Final = ("YIHU_DBT_", "YIHU_TEST_")
_SMTP_SCHEMES: Final = ("smtp", "smtps", "smtp+starttls")
_SMTP_PORTS: Final = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


class SettingsError(PermanentError):
    """Settings that cannot be used: all mistakes at once, one line each.

    Attributes:
        mistakes: One Chinese and English line for each, naming the variable and the remedy, never a secret.
    """

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        self.mistakes = mistakes
        super().__init__(
            f"读取设置时发现 {len(mistakes)} 处错误 / {len(mistakes)} mistake(s) in the settings"
        )

    def __str__(self) -> str:
        return "\n".join([self.doing, *(f"  - {mistake}" for mistake in self.mistakes)])


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed over: ``security`` is ``none``, ``tls`` or ``starttls``."""

    host: str
    port: int
    security: str
    username: str | None
    password: SecretStr | None


@dataclass(frozen=True)
class VariableDescription:
    """One line of the table of variables: name, default and meaning as a user reads them."""

    name: str
    default: str
    meaning: str


def project_folder() -> Path:
    """The folder with ``pyproject.toml``; the current folder when the package is installed without it."""
    folder = Path(__file__).resolve().parent.parent
    return folder if (folder / "pyproject.toml").is_file() else Path.cwd()


# Validators. Each raises ValueError with one line "Chinese | English" that says what came (unless it may hold
# a secret), what is expected and what to do.


def _as_folder(text: str | Path) -> Path:
    path = Path(text).expanduser().absolute().resolve()
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} 不是文件夹，请改为文件夹路径 | is not a folder, name a folder")
    return path


def _as_file(text: str | Path) -> Path:
    path = Path(text).expanduser().absolute().resolve()
    if path.is_dir():
        raise ValueError(f"{path} 是文件夹，请改为文件路径 | is a folder, name a file")
    return path


def _as_warehouse_url(text: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    expected = (
        "应为 postgresql://用户:密码@主机:端口/数据库，请改正（值可能含密码，不显示）"
        " | expected postgresql://user:password@host:port/database (value not shown, it may hold a password)"
    )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"不是数据库地址，{expected}") from None
    if url.drivername not in ("postgresql", "postgresql+psycopg", "postgres"):
        raise ValueError(f"协议是 {url.drivername}，{expected}")
    if not url.host or not url.database or not url.username:
        raise ValueError(f"缺少主机、用户或数据库名，{expected}")
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _as_app_url(text: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    expected = (
        "应为 postgresql://用户:密码@主机:端口/数据库 或 mysql+pymysql://…，请改正（值可能含密码，不显示）"
        " | expected a SQLAlchemy URL such as postgresql://user:password@host:port/database (value not shown)"
    )
    try:
        url = make_url(text)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ValueError(f"不是数据库地址，{expected}") from None
    if not url.database:
        raise ValueError(f"缺少数据库名，{expected}")
    return url.render_as_string(hide_password=False)


def _as_smtp_server(text: str) -> SmtpServer:
    expected = (
        "应为 smtp://、smtps:// 或 smtp+starttls://[用户:密码@]主机[:端口]，请改正（值可能含密码，不显示）"
        " | expected smtp://, smtps:// or smtp+starttls://[user:password@]host[:port] (value not shown)"
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"地址写法有误，{expected}") from None
    if parts.scheme not in _SMTP_SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"不是邮件服务器地址，{expected}")
    if (parts.username is None) != (parts.password is None):
        raise ValueError(f"用户名和密码须同时给出，{expected}")
    return SmtpServer(
        host=parts.hostname,
        port=port or _SMTP_PORTS[parts.scheme],
        security={"smtp": "none", "smtps": "tls", "smtp+starttls": "starttls"}[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=SecretStr(unquote(parts.password)) if parts.password else None,
    )


def is_mail_address(text: str) -> bool:
    """Whether this is one plain address that cannot end its header line or name a second recipient."""
    local, _, domain = text.rpartition("@")
    return bool(local and domain) and not any(
        mark.isspace() or not mark.isprintable() or mark in "<>()[]\\,;:\"'" for mark in text
    )


def _as_mail_address(text: str) -> str:
    if not is_mail_address(text):
        raise ValueError("不是邮件地址，应如 yihu@example.gov.cn | not a mail address")
    return text


def _as_mail_addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in text.replace("，", ",").split(",") if part.strip())
    for number, address in enumerate(addresses, start=1):
        if not is_mail_address(address):
            raise ValueError(
                f"第 {number} 个不是邮件地址，请改正，多个地址用逗号分隔 | address {number} is not a mail address, "
                "separate addresses by commas"
            )
    return addresses


def _as_cipher(text: str) -> str:
    name = text.upper()
    if name not in ("AES-256-GCM", "SM4-GCM"):
        raise ValueError(
            f"收到“{text[:20]}”，应为 AES-256-GCM 或 SM4-GCM"
            f" | got {text[:20]!r}, expected AES-256-GCM or SM4-GCM"
        )
    return name


def _as_port(text: str | int) -> int:
    port = int(text) if str(text).isdecimal() else 0
    if not 1 <= port <= 65535:
        raise ValueError(
            f"收到“{str(text)[:20]}”，应为 1 到 65535 的整数"
            f" | got {str(text)[:20]!r}, expected a port from 1 to 65535"
        )
    return port


def _without_blank(text: str) -> str:
    if not text or any(mark.isspace() for mark in text):
        raise ValueError(
            f"收到“{text[:20]}”，应为不含空格的文字 | got {text[:20]!r}, expected text without spaces"
        )
    return text


class Settings(BaseModel):
    """All settings of one platform, checked. Made by :func:`load_settings`.

    Paths are absolute. Secrets are ``SecretStr``: they do not show in a repr. A field's description is its
    Chinese meaning; ``default`` in its extra is the default as a user reads it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    home: Annotated[Path, BeforeValidator(_as_folder)] = Field(
        description="平台的全部状态（数据库、密钥、回执、日志）所在文件夹；两个文件夹就是两个互不相干的平台",
        json_schema_extra={"default": "项目文件夹下的 .yihu"},
    )
    warehouse_url: Annotated[SecretStr, BeforeValidator(_as_warehouse_url)] | None = Field(
        default=None,
        description="外部 PostgreSQL（15 或更新）的地址；不设则使用内嵌数据库",
        json_schema_extra={"default": "内嵌 PostgreSQL"},
    )
    landing: Annotated[Path, BeforeValidator(_as_folder)] = Field(
        description="来件文件夹：部门放入文件的地方，其下按 部门/清单 分层",
        json_schema_extra={"default": "YIHU_HOME 下的 landing"},
    )
    app_url: Annotated[SecretStr, BeforeValidator(_as_app_url)] | None = Field(
        default=None,
        description="走访应用数据库的地址（SQLAlchemy 写法，只读账号）：社区的清单由此自动取数；不设则只收文件",
        json_schema_extra={"default": "不从应用取数"},
    )
    app_sources: Annotated[Path, BeforeValidator(_as_file)] | None = Field(
        default=None,
        description="走访应用的对照表（YAML）：哪张表是哪种清单、哪一栏是哪一栏（docs/app_source.md）",
        json_schema_extra={"default": "随平台提供的 ingest/app_sources.yaml"},
    )
    outbox: Annotated[Path, BeforeValidator(_as_folder)] = Field(
        description="发件箱文件夹：给报送部门的回执（xlsx 和 JSON），其下按 部门/清单 分层",
        json_schema_extra={"default": "YIHU_HOME 下的 outbox"},
    )
    suppliers: Annotated[Path, BeforeValidator(_as_file)] | None = Field(
        default=None,
        description="报送部门联系人文件（YAML）：每个部门、每种清单的回执和催报邮件发给谁；不设则不给部门发邮件",
        json_schema_extra={"default": "不给部门发邮件"},
    )
    smtp_url: Annotated[SmtpServer, BeforeValidator(_as_smtp_server)] | None = Field(
        default=None,
        description="发送告警邮件的服务器：smtp://、smtps://、smtp+starttls://[用户:密码@]主机[:端口]",
        json_schema_extra={"default": "不发邮件"},
    )
    mail_from: Annotated[str, AfterValidator(_as_mail_address)] | None = Field(
        default=None,
        description="告警邮件的发件地址；设了 YIHU_SMTP_URL 就必须设",
        json_schema_extra={"default": "无"},
    )
    alert_recipients: Annotated[tuple[str, ...], BeforeValidator(_as_mail_addresses)] = Field(
        default=(),
        validate_default=False,
        description="告警邮件的收件地址，逗号分隔；设了 YIHU_SMTP_URL 就必须设",
        json_schema_extra={"default": "无"},
    )
    key_file: Annotated[Path, BeforeValidator(_as_file)] = Field(
        description="字段密钥文件（权限 0600）；请单独备份，丢失后密文无法打开",
        json_schema_extra={"default": "YIHU_HOME 下的 keys/field-keys.json"},
    )
    field_cipher: Annotated[FieldCipher, BeforeValidator(_as_cipher)] = Field(
        default="AES-256-GCM",
        description="新写入值的加密算法：AES-256-GCM 或 SM4-GCM；旧值照常可读",
        json_schema_extra={"default": "AES-256-GCM"},
    )
    accuracy_target: Annotated[str, AfterValidator(_without_blank)] = Field(
        default="M01",
        description="发布所用的准确率目标，reference.target 中的目标代码",
        json_schema_extra={"default": "M01"},
    )
    ui_port: Annotated[int, BeforeValidator(_as_port)] = Field(
        default=3000,
        description="Dagster 网页界面在本机回环地址上的端口",
        json_schema_extra={"default": "3000"},
    )
    street_name: Annotated[str, AfterValidator(_without_blank)] | None = Field(
        default=None, description="街道名称，显示在回执、邮件和报告中", json_schema_extra={"default": "空"}
    )


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check all ``YIHU_`` variables. Makes no file and no connection.

    Args:
        environ: The environment. An empty value counts as not set.

    Raises:
        SettingsError: Anything is wrong; all mistakes at once.
    """
    mistakes: list[str] = []
    given: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(_FOREIGN_PREFIXES):
            continue
        field = name.removeprefix(PREFIX).lower()
        if field not in Settings.model_fields or name != name.upper():
            mistakes.append(_unknown_variable(name))
        elif text := environ[name].strip():
            given[field] = text
    if "smtp_url" in given:
        mistakes.extend(
            f"{PREFIX}{field.upper()}：设了 YIHU_SMTP_URL 就须同时设它，请补上"
            " | is not set although YIHU_SMTP_URL is, set it"
            for field in ("mail_from", "alert_recipients")
            if field not in given
        )
    values = dict(given)
    values.setdefault("home", project_folder() / ".yihu")
    values.setdefault("landing", Path(values["home"]) / "landing")
    values.setdefault("outbox", Path(values["home"]) / "outbox")
    values.setdefault("key_file", Path(values["home"]) / "keys" / "field-keys.json")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_input=False, include_url=False):
            field = str(detail["loc"][0])
            if field in given:  # a default derived from a wrong YIHU_HOME is not a second mistake
                reason = str(detail.get("ctx", {}).get("error", detail["msg"]))
                mistakes.append(f"{PREFIX}{field.upper()}：{reason}")
        raise SettingsError(tuple(mistakes)) from None
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return settings


def describe_settings() -> list[VariableDescription]:
    """The table of variables, generated from the model: what the README and ``yihu settings`` show."""
    return [
        VariableDescription(
            name=f"{PREFIX}{name.upper()}",
            default=str((field.json_schema_extra or {})["default"]),  # type: ignore[index]
            meaning=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def _unknown_variable(name: str) -> str:
    near = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), Settings.model_fields, n=1)
    meant = f"{PREFIX}{near[0].upper()}" if near else ""
    hint = f"是不是 {meant}？请改名或删除" if meant else "请删除，或查看 yihu settings 中的变量名"
    english = f"did you mean {meant}?" if meant else "remove it, or see `yihu settings`"
    return f"{name}：没有这个变量，{hint} | unknown variable, {english}"
