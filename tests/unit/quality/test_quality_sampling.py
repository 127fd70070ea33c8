"""Sizes of samples and the draw: reproducible, large enough, never larger than the frame."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.sampling import (
    SampleNeed,
    draw_seed,
    is_key_stratum,
    load_plan,
    plan_sample,
    stratum_name,
    take,
)

PLAN = load_plan()
NEED = SampleNeed(
    audit_ratio=0.1, visit_count=700, target=0.95, alpha=0.05, assumed_accuracy=0.98, fields_per_household=20
)


def frame(communities: int, ordinary: int, key: int) -> dict[str, int]:
    return {
        stratum_name(f"社区{number}", is_key): count
        for number in range(communities)
        for is_key, count in ((False, ordinary), (True, key))
    }


class TestPlan:
    def test_key_households_get_their_floor_and_every_stratum_two(self) -> None:
        strata = frame(6, 450, 50)
        sizes = plan_sample(strata, NEED, PLAN)
        key = sum(size for stratum, size in sizes.items() if is_key_stratum(stratum))
        assert key >= PLAN.key_household_floor
        assert set(sizes) == set(strata)
        assert min(sizes.values()) >= 2

    def test_a_tenth_of_the_visits_is_the_least(self) -> None:
        sizes = plan_sample(frame(6, 450, 50), replace(NEED, visit_count=3000), PLAN)
        assert 300 <= sum(sizes.values()) <= 320

    def test_a_stricter_target_needs_a_larger_sample(self) -> None:
        strata = frame(6, 450, 50)
        usual = sum(plan_sample(strata, NEED, PLAN).values())
        strict = sum(plan_sample(strata, replace(NEED, target=0.98, assumed_accuracy=0.995), PLAN).values())
        assert strict > usual

    def test_design_effects_are_paid_for(self) -> None:
        # domain.md 6.2: with 20 fields and rho 0.1 the effect is 2.9; 234 effective fields need 34 households
        # before the key floor, the return and unequal weights; the zero-error rule asks for 59 of them.
        sizes = plan_sample(frame(6, 450, 50), replace(NEED, visit_count=0), PLAN)
        assert 59 / PLAN.expected_return_ratio <= sum(sizes.values()) <= 160

    def test_a_small_register_is_audited_whole(self) -> None:
        strata = {stratum_name("甲", False): 9, stratum_name("甲", True): 1}
        assert plan_sample(strata, NEED, PLAN) == strata

    @given(
        st.dictionaries(
            st.builds(stratum_name, st.sampled_from("甲乙丙丁"), st.booleans()),
            st.integers(1, 3000),
            min_size=1,
        ),
        st.integers(0, 5000),
    )
    def test_never_more_than_there_are(self, strata: dict[str, int], visits: int) -> None:
        sizes = plan_sample(strata, replace(NEED, visit_count=visits), PLAN)
        assert all(1 <= sizes[stratum] <= count for stratum, count in strata.items())
        assert sum(sizes.values()) >= min(sum(strata.values()), visits * 0.1)


class TestDraw:
    IDS = tuple(f"H{number:08d}X" for number in range(300))

    def test_the_same_frame_gives_the_same_draw_in_any_order(self) -> None:
        seed = draw_seed(date(2026, 7, 1), date(2026, 7, 31), self.IDS)
        assert seed == draw_seed(date(2026, 7, 1), date(2026, 7, 31), reversed(self.IDS))
        assert take(seed, self.IDS, 40) == take(seed, reversed(self.IDS), 40)

    def test_another_month_or_frame_gives_another_draw(self) -> None:
        seeds = {
            draw_seed(date(2026, 7, 1), date(2026, 7, 31), self.IDS),
            draw_seed(date(2026, 8, 1), date(2026, 8, 31), self.IDS),
            draw_seed(date(2026, 7, 1), date(2026, 7, 31), self.IDS[:-1]),
        }
        assert len(seeds) == 3
        assert len({tuple(take(seed, self.IDS, 40)) for seed in seeds}) == 3
        assert all(0 <= seed < 2**63 for seed in seeds)

    def test_every_household_has_the_same_chance(self) -> None:
        counts = Counter(one for seed in range(600) for one in take(seed, self.IDS[:30], 10))
        # 600 draws of a third: 200 each, standard deviation 11.5.
        assert all(150 <= counts[one] <= 250 for one in self.IDS[:30])


def test_every_figure_of_the_plan_has_its_reason() -> None:
    from pathlib import Path

    import yaml

    import quality.sampling

    folder = Path(quality.sampling.__file__).parent
    assert all(entry["reason"] for entry in yaml.safe_load((folder / "audit.yaml").read_bytes()).values())
    suites = yaml.safe_load((folder / "suites.yaml").read_bytes())
    entries = [*suites["delivery"]]
    for suite in ("staging", "master"):
        for table in suites[suite].values():
            entries.extend(table["checks"])
    assert len(entries) > 30
    for entry in entries:
        assert entry["reason"]
        assert entry["title"]
        assert entry["severity"] in ("error", "warn")
    assert pytest.approx(0.8) == load_plan().power
