"""The programme's figures: targets and limits are rows of the seed `reference.target`, read as of a date.

No figure of the programme stands in code; the platform's own planning figures are `audit.yaml`.
"""

from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, text

from infra.errors import PermanentError


def target_value(connection: Connection, target_code: str, as_of: date) -> Decimal:
    """Value of a target in force on a date, exact as written in the seed (0.95 is 95/100).

    Raises:
        PermanentError: There is no such target on that date.
    """
    value = connection.scalar(
        text(
            """
            select target_value::text from reference.target
            where target_code = :target_code and valid_from <= :as_of
            order by valid_from desc
            limit 1
            """
        ),
        {"target_code": target_code, "as_of": as_of},
    )
    if value is None:
        raise PermanentError(
            "读取目标值",
            came=f"{as_of} 没有目标 {target_code}",
            expected="reference.target 中的目标代码，例如 M01",
            next_step="核对设置 YIHU_ACCURACY_TARGET 和种子 target",
        )
    return Decimal(value)
