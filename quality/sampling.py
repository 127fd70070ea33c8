"""Who is audited: size of the sample, its strata, and the draw.

Pure functions on household ids and counts; every figure is an argument or a row of `audit.yaml`. Reading the
frame and storing the draw is `quality.audit`, estimating from what comes back is `quality.accuracy`.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from quality.accuracy import fields_needed, households_without_error_needed

# The two classes of households the sample is stratified by, inside each community.
KEY, ORDINARY = "重点", "普通"


@dataclass(frozen=True)
class AuditPlan:
    """The figures of `audit.yaml`; ratios from 0 to 1."""

    key_household_floor: int
    stratum_minimum: int
    other_members_limit: int
    assumed_accuracy: Mapping[str, float]
    power: float
    intra_household_correlation: float
    expected_return_ratio: float
    evidence_months: int
    covered_frame_minimum: float
    needed_households_limit: int
    sha256: str


@cache
def load_plan() -> AuditPlan:
    """Read `audit.yaml`; its hash is kept with every verdict, so that a changed plan is a new verdict."""
    import yaml

    content = (Path(__file__).parent / "audit.yaml").read_bytes()
    figures: dict[str, Any] = {name: entry["value"] for name, entry in yaml.safe_load(content).items()}
    return AuditPlan(**figures, sha256=hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class SampleNeed:
    """What the sample must satisfy: households for the visits share, fields for the target."""

    audit_ratio: float  # audited households per successful visit of the month
    visit_count: int
    target: float
    alpha: float
    assumed_accuracy: float
    fields_per_household: float


def stratum_name(community_name: str | None, is_key: bool) -> str:
    """Name of a stratum: community and class."""
    return f"{community_name or '社区不详'}·{KEY if is_key else ORDINARY}"


def is_key_stratum(stratum: str) -> bool:
    """Whether a stratum holds key households."""
    return stratum.endswith(f"·{KEY}")


def plan_sample(frame: Mapping[str, int], need: SampleNeed, plan: AuditPlan) -> dict[str, int]:
    """Households to audit in each stratum: the smallest sample that meets every need, at most all of them.

    Enough means: at least `audit_ratio` of the month's successful visits; as many effective fields as
    `fields_needed` asks for, after the design effect of households and of unequal weights and the expected
    return; and as many effective households as an audit without any error needs.
    """
    total = sum(frame.values())
    fields, _ = fields_needed(need.target, need.assumed_accuracy, plan.power, need.alpha)
    clustering = 1 + max(0.0, need.fields_per_household - 1) * plan.intra_household_correlation
    least_households = households_without_error_needed(need.target, need.alpha)
    by_visits = min(total, math.ceil(need.audit_ratio * need.visit_count))

    def is_enough(allocation: Mapping[str, int]) -> bool:
        households = _effective_households(frame, allocation) * plan.expected_return_ratio
        return (
            sum(allocation.values()) >= by_visits
            and households >= least_households
            and households * need.fields_per_household / clustering >= fields
        )

    # Bisection: a larger total never gives fewer effective households by more than rounding.
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(_allocate(frame, middle, plan)) else (middle, high)
    return _allocate(frame, high, plan)


def draw_seed(month: date, as_of: date, household_ids: Iterable[str]) -> int:
    """Seed of a month's draw, from the month, the business date and the frame.

    Nobody can choose it, nobody knows it before the frame is closed, and anybody can recompute it.
    """
    digest = hashlib.sha256(f"yihu-audit|{month:%Y-%m}|{as_of:%Y-%m-%d}".encode())
    for household_id in sorted(household_ids):
        digest.update(b"|")
        digest.update(household_id.encode())
    return int.from_bytes(digest.digest()[:7], "big")


def take(seed: int, ids: Iterable[str], count: int) -> list[str]:
    """A simple random sample: the `count` ids whose keyed hashes are smallest, in that order.

    A hash for each id instead of a generator's stream: leaving one id out changes no other's chance.
    """
    return sorted(ids, key=lambda item: (hashlib.sha256(f"{seed}|{item}".encode()).digest(), item))[:count]


def _allocate(frame: Mapping[str, int], size: int, plan: AuditPlan) -> dict[str, int]:
    """Proportional over strata, with a floor for key households together and for each stratum."""
    total = sum(frame.values())
    key_total = sum(count for stratum, count in frame.items() if is_key_stratum(stratum))
    key_share = size * key_total / total if total else 0.0
    key_size = min(float(key_total), max(float(plan.key_household_floor), key_share))
    ordinary_total = total - key_total
    ordinary_size = min(float(ordinary_total), max(0.0, size - key_size))

    def share(stratum: str, count: int) -> int:
        class_size, class_total = (
            (key_size, key_total) if is_key_stratum(stratum) else (ordinary_size, ordinary_total)
        )
        # Rounded up, so that no stratum falls under its share; the tolerance keeps float dust from adding one.
        return min(count, max(plan.stratum_minimum, math.ceil(class_size * count / class_total - 1e-9)))

    return {stratum: share(stratum, count) for stratum, count in sorted(frame.items()) if count > 0}


def _effective_households(frame: Mapping[str, int], allocation: Mapping[str, int]) -> float:
    """Audited households reduced for unequal weights (Kish 1965): (sum w)^2 / sum w^2."""
    squares: Sequence[float] = [frame[stratum] ** 2 / drawn for stratum, drawn in allocation.items()]
    return sum(frame[stratum] for stratum in allocation) ** 2 / sum(squares) if squares else 0.0
