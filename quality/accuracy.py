"""How right the register is: the estimate from audited fields, its bounds, and the sample it needs.

Here belong pure functions on tallies of audited households; no database, no files, no thresholds (target,
confidence and planning assumptions are arguments). What an audit returned is read in `quality.verdict`, who
is audited is decided in `quality.sampling`.

Model. The register's households are the frame. Each monthly draw d is a stratified simple random sample
(stratum h = community and class, N_h households in the frame, n_h of them audited); within a household the
household's own fields, the head's and those of at most a few other members are checked (K others, m drawn).
With y = fields right and m = fields checked of household i (other members counted K/m-fold):

    weight        w_i = k_d N_h / n_h,   k_d = n_d / sum of N_h over the audited strata of d
    accuracy      A = sum(w_i y_i) / sum(w_i m_i)
    residual      z_i = w_i (y_i - A m_i)
    variance      v = [ sum_h (1 - n_h/N_h) n_h/(n_h-1) sum_i (z_i - mean z)^2  +  sum_i w_i^2 (n_h/N_h) s2_i ]
                      / sum(w_i m_i)^2

which is the ratio estimator over household totals with Taylor-linearised variance (Cochran, Sampling
Techniques, 3rd ed. 1977, sections 6.13 and 11.8: the second term is the sampling of members, s2_i = K^2
(1 - m/K) / m times the members' residual variance). A stratum with a single audited household takes the
deviation from zero, the mean of all residuals (option "adjust" of R survey). k_d lets a draw count by the
households it audited, so that a half-returned month does not weigh as much as a whole one.

Bounds. Korn and Graubard, Confidence intervals for proportions with small expected number of positive counts
estimated from survey data, Survey Methodology 24 (1998) 193-201: Clopper-Pearson with the effective sample
size n* = A(1-A)/v, times (t_{n-1} / t_{df})^2, df = households - strata, never more than the fields checked.
Where the variance is zero (every field right, say) nothing is known about how errors cluster, and n* is the
number of audited households, reduced for unequal weights (Kish 1965): errors are taken to come in whole
households. No sample may claim more than that case does: `lower` is at most alpha^(1/households), so one
error found never raises the bound above that of none found.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

# Outcomes of a field check, domain.md 6.1. A value that changed after it was registered was right: it counts
# as correct for accuracy and against timeliness.
CORRECT, WRONG, CHANGED, UNVERIFIABLE, NOT_APPLICABLE = (
    "correct",
    "wrong",
    "changed",
    "unverifiable",
    "not_applicable",
)
OUTCOMES = (CORRECT, WRONG, CHANGED, UNVERIFIABLE, NOT_APPLICABLE)

# Below this a variance is rounding noise of the float sums, not a variance.
_ZERO_VARIANCE = 1e-15

Stratum = tuple[int, str]


@dataclass(frozen=True)
class AuditedField:
    """One field of one audited household, as the inspector found it.

    `factor` says for how many members the person stands (1 for the household's own fields and the head).
    """

    draw_id: int
    stratum: str
    household_id: str
    person_id: str | None
    is_critical: bool
    outcome: str
    factor: Fraction = Fraction(1)


@dataclass(frozen=True)
class HouseholdTally:
    """Fields checked and right in one household; `sampled_members` holds (checked, right) of the members
    who stand for others, `factor` for how many each."""

    stratum: Stratum
    checked: Fraction
    right: Fraction
    factor: Fraction = Fraction(1)
    sampled_members: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A share with its bounds; ratios from 0 to 1, `lower` and `upper` None when nothing was audited."""

    household_count: int
    field_count: int
    correct_count: int
    ratio: Fraction | None
    lower: float | None  # one-sided
    interval: tuple[float, float] | None  # two-sided
    standard_error: float | None
    effective_size: float
    effective_households: float
    design_effect: float | None


@dataclass(frozen=True)
class AccuracyReport:
    """The three accuracies of domain.md 6.1 and what was left out of them."""

    fields: Estimate
    critical_fields: Estimate
    whole_households: Estimate
    unverifiable_ratio: Fraction | None  # unverifiable / (checked + unverifiable), unweighted
    outdated_ratio: Fraction | None  # changed / checked, unweighted: timeliness, not accuracy
    covered_frame_ratio: Fraction | None  # share of the frame in strata with at least one audited household


def clopper_pearson_lower(right: float, checked: float, alpha: float) -> float:
    """One-sided lower bound at confidence 1 - alpha for `right` of `checked`; both may be fractional."""
    if not 0 <= right <= checked:
        raise ValueError("right must be between 0 and checked")
    if right <= 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(right, checked - right + 1, alpha))


def clopper_pearson_upper(right: float, checked: float, alpha: float) -> float:
    """One-sided upper bound; the mirror of `clopper_pearson_lower`."""
    return 1.0 - clopper_pearson_lower(checked - right, checked, alpha) if checked > 0 else 1.0


def fields_needed(target: float, assumed: float, power: float, alpha: float) -> tuple[int, int]:
    """Smallest number of independent fields, and the errors allowed among them, with which a register that
    is `assumed` right shows `target` with the given power (domain.md 6.3: 0.95, 0.98, 0.80 give 234 and 6).

    Raises ValueError where the assumed accuracy is not above the target: no sample can show it.
    """
    if not assumed > target:
        raise ValueError("the assumed accuracy must be above the target")
    from scipy.special import bdtr

    errors = 0
    size = 1
    while True:
        while bdtr(errors, size, 1 - target) > alpha:
            size += 1
        if bdtr(errors, size, 1 - assumed) >= power:
            return size, errors
        errors += 1


def households_without_error_needed(target: float, alpha: float) -> int:
    """How many households, all right, show the target: the least any verdict rests on (59 for 95 %)."""
    return math.ceil(math.log(alpha) / math.log(target))


def households_needed(estimate: Estimate, target: float, alpha: float, limit: int) -> int | None:
    """Households to audit in all until the bound reaches the target, if what was found so far stays true.

    None where it cannot be shown: nothing audited, the point is not above the target, or more than `limit`.
    """
    if estimate.ratio is None or estimate.household_count == 0 or float(estimate.ratio) <= target:
        return None
    point = float(estimate.ratio)
    size_each = estimate.effective_size / estimate.household_count
    weight_each = estimate.effective_households / estimate.household_count

    def is_enough(households: int) -> bool:
        size = size_each * households
        bound = min(
            clopper_pearson_lower(point * size, size, alpha), alpha ** (1 / (weight_each * households))
        )
        return bound >= target

    if not is_enough(limit):
        return None
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def report_accuracy(
    audited: Sequence[AuditedField], frame: Mapping[Stratum, int], alpha: float
) -> AccuracyReport:
    """All figures from the audited fields; `frame` gives the households of each (draw, stratum).

    Raises ValueError for an outcome that is not one of OUTCOMES or a stratum that is not in the frame.
    """
    for field in audited:
        if field.outcome not in OUTCOMES:
            raise ValueError("an audit outcome is not one of the five known ones")
        if (field.draw_id, field.stratum) not in frame:
            raise ValueError("an audited stratum is not in the frame of its draw")
    checked = [field for field in audited if field.outcome in (CORRECT, WRONG, CHANGED)]
    unverifiable_count = sum(field.outcome == UNVERIFIABLE for field in audited)
    changed_count = sum(field.outcome == CHANGED for field in audited)
    tallies = tally_households(checked)
    covered = {tally.stratum[1] for tally in tallies}
    frame_by_stratum: dict[str, int] = defaultdict(int)
    for (_, stratum), count in frame.items():
        frame_by_stratum[stratum] = max(frame_by_stratum[stratum], count)
    frame_count = sum(frame_by_stratum.values())
    return AccuracyReport(
        fields=estimate_share(tallies, frame, alpha, _counts(checked)),
        critical_fields=estimate_share(
            tally_households([field for field in checked if field.is_critical]),
            frame,
            alpha,
            _counts([field for field in checked if field.is_critical]),
        ),
        whole_households=_whole_households(tallies, frame, alpha),
        unverifiable_ratio=_share(unverifiable_count, unverifiable_count + len(checked)),
        outdated_ratio=_share(changed_count, len(checked)),
        covered_frame_ratio=_share(sum(frame_by_stratum[stratum] for stratum in covered), frame_count),
    )


def tally_households(checked: Iterable[AuditedField]) -> list[HouseholdTally]:
    """Sum checked fields by household; every field given counts (leave out unverifiable ones before)."""
    by_household: dict[tuple[int, str, str], list[AuditedField]] = defaultdict(list)
    for field in checked:
        by_household[field.draw_id, field.stratum, field.household_id].append(field)
    tallies = []
    for (draw_id, stratum, _), fields in sorted(by_household.items(), key=lambda item: item[0]):
        members: dict[str, list[int]] = {}
        factor = Fraction(1)
        for field in fields:
            if field.factor > 1 and field.person_id is not None:
                factor = field.factor
                tally = members.setdefault(field.person_id, [0, 0])
                tally[0] += 1
                tally[1] += field.outcome != WRONG
        tallies.append(
            HouseholdTally(
                stratum=(draw_id, stratum),
                checked=sum((field.factor for field in fields), Fraction(0)),
                right=sum((field.factor for field in fields if field.outcome != WRONG), Fraction(0)),
                factor=factor,
                sampled_members=tuple((checked, right) for checked, right in members.values()),
            )
        )
    return tallies


def estimate_share(
    tallies: Sequence[HouseholdTally],
    frame: Mapping[Stratum, int],
    alpha: float,
    counts: tuple[int, int] | None = None,
) -> Estimate:
    """The design-weighted share with its bounds (formulas: head of this module).

    `counts` are the plain numbers of fields checked and right; left out, the tallies' own sums are taken.
    """
    import numpy as np

    if counts is None:
        counts = (
            int(sum((tally.checked for tally in tallies), Fraction(0))),
            int(sum((tally.right for tally in tallies), Fraction(0))),
        )
    if not tallies:
        return Estimate(0, 0, 0, None, None, None, None, 0.0, 0.0, None)
    by_stratum: dict[Stratum, list[HouseholdTally]] = defaultdict(list)
    for tally in tallies:
        by_stratum[tally.stratum].append(tally)
    weights = _weights(by_stratum, frame)
    weighted_checked = sum(
        (weights[key] * sum(tally.checked for tally in group) for key, group in by_stratum.items()),
        Fraction(0),
    )
    weighted_right = sum(
        (weights[key] * sum(tally.right for tally in group) for key, group in by_stratum.items()), Fraction(0)
    )
    ratio = weighted_right / weighted_checked
    point = float(ratio)

    variance = 0.0
    sum_of_weights = 0.0
    sum_of_squared_weights = 0.0
    for key, group in by_stratum.items():
        weight = float(weights[key])
        count = len(group)
        sampled = min(1.0, count / frame[key])
        residuals = np.array(
            [weight * (float(tally.right) - point * float(tally.checked)) for tally in group]
        )
        if count > 1:
            variance += (
                (1 - sampled) * count / (count - 1) * float(np.sum((residuals - residuals.mean()) ** 2))
            )
        else:
            variance += (1 - sampled) * float(residuals[0] ** 2)
        variance += weight**2 * sampled * sum(_member_variance(tally, point) for tally in group)
        sum_of_weights += weight * count
        sum_of_squared_weights += weight**2 * count
    variance /= float(weighted_checked) ** 2
    effective_households = sum_of_weights**2 / sum_of_squared_weights

    degrees = max(1, len(tallies) - len(by_stratum))
    sizes = {
        level: _effective_size(point, variance, counts[0], effective_households, degrees, level)
        for level in (alpha, alpha / 2)
    }

    def lower_at(level: float) -> float:
        bound = clopper_pearson_lower(point * sizes[level], sizes[level], level)
        return min(bound, level ** (1 / effective_households), point)

    upper = max(clopper_pearson_upper(point * sizes[alpha / 2], sizes[alpha / 2], alpha / 2), point)
    simple_variance = point * (1 - point) / counts[0] if counts[0] else 0.0
    return Estimate(
        household_count=len(tallies),
        field_count=counts[0],
        correct_count=counts[1],
        ratio=ratio,
        lower=lower_at(alpha),
        interval=(lower_at(alpha / 2), upper),
        standard_error=math.sqrt(variance),
        effective_size=sizes[alpha],
        effective_households=effective_households,
        design_effect=variance / simple_variance
        if variance > _ZERO_VARIANCE and simple_variance > 0
        else None,
    )


def _weights(
    by_stratum: Mapping[Stratum, Sequence[HouseholdTally]], frame: Mapping[Stratum, int]
) -> dict[Stratum, Fraction]:
    audited: dict[int, int] = defaultdict(int)
    represented: dict[int, int] = defaultdict(int)
    for (draw_id, stratum), group in by_stratum.items():
        audited[draw_id] += len(group)
        represented[draw_id] += max(frame[draw_id, stratum], len(group))
    return {
        key: Fraction(audited[key[0]], represented[key[0]])
        * Fraction(max(frame[key], len(group)), len(group))
        for key, group in by_stratum.items()
    }


def _member_variance(tally: HouseholdTally, point: float) -> float:
    """Variance of a household's residual total that comes from checking only some of its members."""
    drawn = len(tally.sampled_members)
    standing_for = float(tally.factor) * drawn
    if drawn == 0 or standing_for <= drawn:
        return 0.0
    residuals = [right - point * checked for checked, right in tally.sampled_members]
    if drawn == 1:
        spread = residuals[0] ** 2
    else:
        mean = sum(residuals) / drawn
        spread = sum((residual - mean) ** 2 for residual in residuals) / (drawn - 1)
    return standing_for**2 * (1 - drawn / standing_for) * spread / drawn


def _effective_size(
    point: float, variance: float, field_count: int, effective_households: float, degrees: int, level: float
) -> float:
    if variance <= _ZERO_VARIANCE or not 0 < point < 1:
        return min(effective_households, float(field_count))
    from scipy.special import stdtrit

    size = point * (1 - point) / variance
    ratio = float(stdtrit(max(1, field_count - 1), 1 - level) / stdtrit(degrees, 1 - level))
    return max(1.0, min(size, float(field_count)) * min(1.0, ratio**2))


def _whole_households(
    tallies: Sequence[HouseholdTally], frame: Mapping[Stratum, int], alpha: float
) -> Estimate:
    whole = [
        HouseholdTally(tally.stratum, Fraction(1), Fraction(int(tally.right == tally.checked)))
        for tally in tallies
    ]
    return estimate_share(whole, frame, alpha)


def _counts(checked: Sequence[AuditedField]) -> tuple[int, int]:
    return len(checked), sum(field.outcome != WRONG for field in checked)


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
