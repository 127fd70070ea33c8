"""The estimator: known figures, properties that must hold for any sample, and coverage by simulation."""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.accuracy import (
    CHANGED,
    CORRECT,
    NOT_APPLICABLE,
    UNVERIFIABLE,
    WRONG,
    AuditedField,
    HouseholdTally,
    clopper_pearson_lower,
    clopper_pearson_upper,
    estimate_share,
    fields_needed,
    households_needed,
    households_without_error_needed,
    report_accuracy,
)

ALPHA = 0.05
H = (1, "甲社区·普通")
KEY = (1, "甲社区·重点")


def tally(right: int, checked: int, stratum: tuple[int, str] = H) -> HouseholdTally:
    return HouseholdTally(stratum, Fraction(checked), Fraction(right))


def field(
    household_id: str, outcome: str, *, is_critical: bool = False, stratum: str = H[1], draw_id: int = 1
) -> AuditedField:
    return AuditedField(draw_id, stratum, household_id, None, is_critical, outcome)


class TestClopperPearson:
    # Figures of domain.md 6.3.
    @pytest.mark.parametrize(
        ("right", "checked", "bound"), [(388, 400, 0.952), (392, 400, 0.964), (950, 1000, 0.937)]
    )
    def test_one_sided_readings(self, right: int, checked: int, bound: float) -> None:
        assert clopper_pearson_lower(right, checked, ALPHA) == pytest.approx(bound, abs=0.0006)

    def test_two_sided_reading(self) -> None:
        assert clopper_pearson_lower(190, 200, ALPHA / 2) == pytest.approx(0.910, abs=0.0006)
        assert clopper_pearson_upper(190, 200, ALPHA / 2) == pytest.approx(0.976, abs=0.0006)

    def test_edges(self) -> None:
        assert clopper_pearson_lower(0, 10, ALPHA) == 0
        assert clopper_pearson_upper(10, 10, ALPHA) == 1
        assert clopper_pearson_lower(59, 59, ALPHA) == pytest.approx(ALPHA ** (1 / 59))
        with pytest.raises(ValueError, match="between 0 and checked"):
            clopper_pearson_lower(3, 2, ALPHA)

    @given(st.integers(1, 2000), st.data())
    def test_bound_is_below_the_point_and_rises_with_every_field_right(
        self, checked: int, data: st.DataObject
    ) -> None:
        right = data.draw(st.integers(0, checked - 1))
        bound = clopper_pearson_lower(right, checked, ALPHA)
        better = clopper_pearson_lower(right + 1, checked, ALPHA)
        assert 0 <= bound <= right / checked
        assert bound < better <= 1

    @given(st.integers(1, 500), st.floats(0.5, 1))
    def test_more_of_the_same_evidence_never_lowers_the_bound(self, checked: int, share: float) -> None:
        small = clopper_pearson_lower(share * checked, checked, ALPHA)
        assert clopper_pearson_lower(share * checked * 2, checked * 2, ALPHA) >= small - 1e-12


class TestSampleSize:
    # The tables of domain.md 6.3.
    @pytest.mark.parametrize(
        ("target", "assumed", "expected"),
        [
            (0.95, 0.99, (124, 2)),
            (0.95, 0.98, (234, 6)),
            (0.95, 0.97, (601, 21)),
            (0.98, 0.995, (386, 3)),
            (0.98, 0.99, (969, 12)),
        ],
    )
    def test_tables(self, target: float, assumed: float, expected: tuple[int, int]) -> None:
        assert fields_needed(target, assumed, 0.8, ALPHA) == expected

    def test_zero_error_sizes(self) -> None:
        assert households_without_error_needed(0.95, ALPHA) == 59
        assert households_without_error_needed(0.98, ALPHA) == 149
        assert households_without_error_needed(0.90, ALPHA) == 29

    def test_truth_at_the_target_cannot_be_shown(self) -> None:
        with pytest.raises(ValueError, match="above the target"):
            fields_needed(0.95, 0.95, 0.8, ALPHA)


class TestEstimate:
    def test_no_household_gives_no_figure(self) -> None:
        estimate = estimate_share([], {H: 100}, ALPHA)
        assert (estimate.ratio, estimate.lower, estimate.interval, estimate.household_count) == (
            None,
            None,
            None,
            0,
        )

    def test_equal_weights_give_the_plain_share_exactly(self) -> None:
        estimate = estimate_share([tally(19, 20), tally(20, 20), tally(18, 20)], {H: 1000}, ALPHA)
        assert estimate.ratio == Fraction(57, 60)
        assert (estimate.field_count, estimate.correct_count) == (60, 57)

    def test_linearised_variance_of_a_worked_example(self) -> None:
        # domain.md 6.2: v = (1 - f) / (n m^2) * sum (y - A m)^2 / (n - 1), by hand for three households of 100.
        tallies = [tally(8, 10), tally(10, 10), tally(9, 10)]
        estimate = estimate_share(tallies, {H: 100}, ALPHA)
        by_hand = 0.97 / (3 * 100) * (1.0 + 1.0 + 0.0) / 2
        assert estimate.standard_error == pytest.approx(by_hand**0.5)

    def test_strata_are_weighted_by_their_households(self) -> None:
        tallies = [*[tally(10, 10)] * 30, *[tally(5, 10, KEY)] * 30]
        estimate = estimate_share(tallies, {H: 900, KEY: 100}, ALPHA)
        assert estimate.ratio == Fraction(95, 100)

    def test_all_right_is_bound_by_the_households_not_the_fields(self) -> None:
        estimate = estimate_share([tally(20, 20)] * 59, {H: 5000}, ALPHA)
        assert estimate.lower == pytest.approx(ALPHA ** (1 / 59))
        assert estimate.design_effect is None
        assert estimate.interval is not None
        assert estimate.interval[1] == 1

    def test_one_error_found_never_beats_none_found(self) -> None:
        clean = estimate_share([tally(20, 20)] * 40, {H: 5000}, ALPHA)
        one = estimate_share([*[tally(20, 20)] * 39, tally(19, 20)], {H: 5000}, ALPHA)
        assert clean.lower is not None
        assert one.lower is not None
        assert one.lower <= clean.lower < 0.95

    def test_errors_in_whole_households_weigh_more_than_scattered_ones(self) -> None:
        together = estimate_share([*[tally(10, 10)] * 190, *[tally(0, 10)] * 10], {H: 5000}, ALPHA)
        scattered = estimate_share([*[tally(10, 10)] * 100, *[tally(9, 10)] * 100], {H: 5000}, ALPHA)
        assert together.ratio == scattered.ratio == Fraction(95, 100)
        assert together.lower is not None
        assert scattered.lower is not None
        assert together.lower < scattered.lower
        # 10 fields a household that are right or wrong together, less the part of the frame that was audited.
        assert together.design_effect == pytest.approx(10 * (1 - 200 / 5000) * 200 / 199)

    def test_a_half_returned_draw_weighs_by_its_households(self) -> None:
        frame = {(1, "甲·普通"): 1000, (2, "甲·普通"): 1000}
        tallies = [*[tally(10, 10, (1, "甲·普通"))] * 90, *[tally(0, 10, (2, "甲·普通"))] * 10]
        assert estimate_share(tallies, frame, ALPHA).ratio == Fraction(9, 10)

    def test_a_member_who_stands_for_others_counts_for_them(self) -> None:
        fields = [
            AuditedField(1, H[1], "a", "P1", False, CORRECT),
            AuditedField(1, H[1], "a", "P2", False, CORRECT, Fraction(3, 2)),
            AuditedField(1, H[1], "a", "P3", False, WRONG, Fraction(3, 2)),
        ]
        report = report_accuracy(fields, {H: 10}, ALPHA)
        assert report.fields.ratio == Fraction(5, 8)
        assert (report.fields.field_count, report.fields.correct_count) == (3, 2)

    def test_subsampled_members_add_variance_even_in_a_census(self) -> None:
        fields = [
            AuditedField(
                1, H[1], f"a{n}", f"P{n}{m}", False, WRONG if m == n % 3 == 0 else CORRECT, Fraction(4, 2)
            )
            for n in range(30)
            for m in range(2)
        ]
        report = report_accuracy(fields, {H: 30}, ALPHA)
        assert report.fields.standard_error is not None
        assert report.fields.standard_error > 0


class TestReport:
    def test_changed_is_right_but_outdated_and_unverifiable_is_left_out(self) -> None:
        fields = [field(f"a{n}", CORRECT) for n in range(6)]
        fields += [
            field("b", CHANGED),
            field("c", WRONG),
            field("d", UNVERIFIABLE),
            field("e", NOT_APPLICABLE),
        ]
        report = report_accuracy(fields, {H: 100}, ALPHA)
        assert report.fields.ratio == Fraction(7, 8)
        assert report.unverifiable_ratio == pytest.approx(1 / 9)
        assert report.outdated_ratio == pytest.approx(1 / 8)

    def test_critical_and_whole_household_figures(self) -> None:
        fields = [
            field("a", CORRECT, is_critical=True),
            field("a", WRONG),
            field("b", CORRECT, is_critical=True),
            field("b", CORRECT),
        ]
        report = report_accuracy(fields, {H: 100}, ALPHA)
        assert report.fields.ratio == Fraction(3, 4)
        assert report.critical_fields.ratio == 1
        assert report.whole_households.ratio == Fraction(1, 2)

    def test_frame_share_with_evidence(self) -> None:
        report = report_accuracy([field("a", CORRECT)], {H: 300, KEY: 100}, ALPHA)
        assert report.covered_frame_ratio == pytest.approx(0.75)

    def test_nothing_audited(self) -> None:
        report = report_accuracy([], {}, ALPHA)
        assert report.fields.ratio is None
        assert (report.unverifiable_ratio, report.outdated_ratio, report.covered_frame_ratio) == (
            None,
            None,
            None,
        )

    def test_unknown_outcomes_and_strata_are_refused(self) -> None:
        with pytest.raises(ValueError, match="outcome"):
            report_accuracy([field("a", "maybe")], {H: 1}, ALPHA)
        with pytest.raises(ValueError, match="stratum"):
            report_accuracy([field("a", CORRECT)], {}, ALPHA)


class TestHouseholdsNeeded:
    def test_more_households_are_asked_for_and_suffice(self) -> None:
        now = estimate_share([*[tally(20, 20)] * 20, *[tally(19, 20)] * 20], {H: 50000}, ALPHA)
        assert now.lower is not None
        needed = households_needed(now, 0.95, ALPHA, 100000)
        assert needed is not None
        assert needed > 40
        half = needed // 2
        later = estimate_share(
            [*[tally(20, 20)] * half, *[tally(19, 20)] * (needed - half)], {H: 50000}, ALPHA
        )
        assert later.lower is not None
        assert later.lower >= 0.949

    def test_below_the_target_no_number_helps(self) -> None:
        estimate = estimate_share([tally(9, 10)] * 50, {H: 5000}, ALPHA)
        assert households_needed(estimate, 0.95, ALPHA, 100000) is None

    def test_nothing_audited_gives_no_number(self) -> None:
        assert households_needed(estimate_share([], {}, ALPHA), 0.95, ALPHA, 100000) is None


households = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 20), st.sampled_from([H, KEY])), min_size=1, max_size=60
)


class TestProperties:
    @settings(max_examples=150, deadline=None)
    @given(households, st.integers(60, 5000), st.integers(60, 5000))
    def test_bounds_are_in_order(
        self, drawn: list[tuple[int, int, tuple[int, str]]], n_h: int, n_key: int
    ) -> None:
        tallies = [tally(min(right, checked), checked, stratum) for checked, right, stratum in drawn]
        estimate = estimate_share(tallies, {H: n_h, KEY: n_key}, ALPHA)
        assert estimate.ratio is not None
        assert estimate.lower is not None
        assert estimate.interval is not None
        point = float(estimate.ratio)
        assert 0 <= estimate.interval[0] <= estimate.lower <= point <= estimate.interval[1] <= 1
        assert estimate.effective_size <= estimate.field_count + 1e-9

    @settings(max_examples=150, deadline=None)
    @given(households)
    def test_a_field_set_right_raises_the_point(self, drawn: list[tuple[int, int, tuple[int, str]]]) -> None:
        tallies = [tally(min(right, checked), checked, stratum) for checked, right, stratum in drawn]
        worst = next((n for n, one in enumerate(tallies) if one.right < one.checked), None)
        if worst is None:
            return
        better = list(tallies)
        better[worst] = HouseholdTally(
            tallies[worst].stratum, tallies[worst].checked, tallies[worst].right + 1
        )
        frame = {H: 1000, KEY: 300}
        before, after = estimate_share(tallies, frame, ALPHA), estimate_share(better, frame, ALPHA)
        assert before.ratio is not None
        assert after.ratio is not None
        assert after.ratio > before.ratio

    @settings(max_examples=150, deadline=None)
    @given(households)
    def test_no_findings_claim_more_than_the_same_households_all_right(
        self, drawn: list[tuple[int, int, tuple[int, str]]]
    ) -> None:
        frame = {H: 1000, KEY: 300}
        tallies = [tally(min(right, checked), checked, stratum) for checked, right, stratum in drawn]
        clean = [HouseholdTally(one.stratum, one.checked, one.checked) for one in tallies]
        found, best = estimate_share(tallies, frame, ALPHA), estimate_share(clean, frame, ALPHA)
        assert found.lower is not None
        assert best.lower is not None
        assert found.lower <= best.lower + 1e-12


@pytest.mark.parametrize("clustering", ["scattered", "beta-binomial", "whole households"])
def test_the_bound_covers_the_truth_in_simulated_audits(clustering: str) -> None:
    """400 stratified draws of a population of 2,000: the one-sided 95 % bound is below the truth in >= 93 %."""
    rng = random.Random(20260731)

    def household(fields: int) -> int:
        if clustering == "whole households":
            return 0 if rng.random() < 0.04 else fields
        right = rng.betavariate(9.6, 0.4) if clustering == "beta-binomial" else 0.96
        return sum(rng.random() < right for _ in range(fields))

    frame = {H: 1700, KEY: 300}
    population: dict[tuple[int, str], list[HouseholdTally]] = {}
    for stratum, count in frame.items():
        sizes = [rng.randint(8, 24) for _ in range(count)]
        population[stratum] = [tally(household(size), size, stratum) for size in sizes]
    everybody = [one for group in population.values() for one in group]
    truth = float(sum(one.right for one in everybody) / sum(one.checked for one in everybody))
    draws = 400
    covered = 0
    for _ in range(draws):
        sample = [*rng.sample(population[H], 90), *rng.sample(population[KEY], 40)]
        estimate = estimate_share(sample, frame, ALPHA)
        assert estimate.lower is not None
        covered += estimate.lower <= truth
    assert covered / draws >= 0.93
