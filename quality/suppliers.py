"""Who gets the receipts of which list: the YAML file that `YIHU_SUPPLIERS` names.

    remind_days_before: 3          # so many days before a list is due its supplier is reminded; 0: on the day
    departments:
      civil_affairs:               # the department's folder in the landing folder
        name: 区民政局
        recipients: [shuju@example.gov.cn]
        lists:                     # only for lists that go to somebody else
          low_income: [dibao@example.gov.cn]

Mails are made by `quality.supplier_mails`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from sqlalchemy import Connection, text

from infra.errors import PermanentError
from infra.settings import is_mail_address

_LONGEST_REMINDER: Final = 60
_LONGEST_NAME: Final = 40


@dataclass(frozen=True)
class Supplier:
    """One department: its name for people and where its mails go."""

    name: str
    recipients: tuple[str, ...]
    recipients_of_list: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Suppliers:
    """The whole file.

    Attributes:
        departments: By the name of the department's folder.
        remind_days_before: So many calendar days before a list is due its supplier is reminded.
    """

    departments: Mapping[str, Supplier]
    remind_days_before: int

    def recipients(self, department: str, list_code: str | None) -> tuple[str, ...]:
        """Where mails about a list go; about no list in particular, the department's. Empty: to nobody."""
        supplier = self.departments.get(department)
        if supplier is None:
            return ()
        return supplier.recipients_of_list.get(list_code or "", supplier.recipients)

    def group(self, department: str, list_code: str) -> str:
        """What goes to the same people, and so into one mail: a department, or a list with people of its own."""
        supplier = self.departments.get(department)
        has_own = supplier is not None and list_code in supplier.recipients_of_list
        return f"{department}/{list_code}" if has_own else department


def load_suppliers(path: Path, connection: Connection) -> Suppliers:
    """Read and check the file; departments and lists are those of `ops.contract`.

    Raises:
        PermanentError: It cannot be read, or anything in it is wrong; all mistakes at once.
    """
    doing = "读取报送部门联系人文件（YIHU_SUPPLIERS）"
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except OSError as error:
        raise PermanentError(
            doing, came=f"{path.name} 读不了（{error.strerror}）", next_step="检查路径和权限"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f"，第 {where.line + 1} 行" if where else ""
        reason = str(error) if type(error) is ValueError else "不是 UTF-8 编码的 YAML"
        raise PermanentError(
            doing, came=f"{path.name}{line}：{reason}", expected="YAML", next_step="照文档中的例子改正"
        ) from None
    lists: dict[str, set[str]] = {}
    for row in connection.execute(text("select department, list_code from ops.contract")):
        lists.setdefault(row.department, set()).add(row.list_code)
    mistakes: list[str] = []
    suppliers = _read(document, lists, mistakes)
    if mistakes:
        raise PermanentError(
            doing,
            came=f"{path.name} 有 {len(mistakes)} 处错误：{'；'.join(mistakes)}",
            expected="文档中例子的写法",
            next_step="改正后重新运行；回执已写入发件箱文件夹，邮件随后补发",
        )
    return suppliers


def _read(document: Any, lists: Mapping[str, set[str]], mistakes: list[str]) -> Suppliers:
    if not isinstance(document, dict) or not isinstance(document.get("departments"), dict):
        mistakes.append("缺少 departments（部门及其联系人）")
        return Suppliers({}, 0)
    _refuse_unknown(document, ("departments", "remind_days_before"), "文件", mistakes)
    days = document.get("remind_days_before", 0)
    if type(days) is not int or not 0 <= days <= _LONGEST_REMINDER:
        mistakes.append(f"remind_days_before 应为 0 到 {_LONGEST_REMINDER} 的整数")
        days = 0
    departments = {}
    for code, entry in document["departments"].items():
        if code not in lists:
            known = "、".join(sorted(lists)) or "无"
            mistakes.append(f"没有部门 {str(code)[:_LONGEST_NAME]}（现有：{known}）")
        elif not isinstance(entry, dict):
            mistakes.append(f"{code} 应写 name 和 recipients")
        else:
            departments[code] = _supplier(code, entry, lists[code], mistakes)
    return Suppliers(departments, days)


def _supplier(code: str, entry: dict[Any, Any], lists: set[str], mistakes: list[str]) -> Supplier:
    _refuse_unknown(entry, ("name", "recipients", "lists"), code, mistakes)
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        mistakes.append(f"{code} 的 name 应为部门的名称，不超过 {_LONGEST_NAME} 个字")
        name = code
    own = entry.get("lists", {})
    if not isinstance(own, dict):
        mistakes.append(f"{code} 的 lists 应为 清单代码: [地址]")
        own = {}
    of_list = {}
    for list_code, addresses in own.items():
        if list_code in lists:
            of_list[list_code] = _addresses(addresses, f"{code} 的 {list_code}", mistakes)
        else:
            known = "、".join(sorted(lists))
            mistakes.append(f"{code} 没有清单 {str(list_code)[:_LONGEST_NAME]}（现有：{known}）")
    recipients = _addresses(entry.get("recipients"), f"{code} 的 recipients", mistakes)
    return Supplier(name.strip(), recipients, of_list)


def _addresses(value: Any, where: str, mistakes: list[str]) -> tuple[str, ...]:
    """Addresses; a wrong one is told by its number, for its text may be anything."""
    if not isinstance(value, list) or not value:
        mistakes.append(f"{where} 应为至少一个邮件地址，写作 [a@example.gov.cn]")
        return ()
    for number, address in enumerate(value, start=1):
        if not isinstance(address, str) or not is_mail_address(address):
            mistakes.append(f"{where} 第 {number} 个不是邮件地址")
    return tuple(dict.fromkeys(str(address) for address in value))


def _refuse_unknown(
    entry: Mapping[Any, Any], known: tuple[str, ...], where: str, mistakes: list[str]
) -> None:
    mistakes.extend(
        f"{where} 中没有 {str(key)[:_LONGEST_NAME]} 这一项（可用：{'、'.join(known)}）"
        for key in entry
        if key not in known
    )


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses a key given twice: YAML would keep the last one and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"“{str(key)[:_LONGEST_NAME]}”出现两次")
        return super().construct_mapping(node, deep)
