"""Monthly rounds of all lists, each in the months its rhythm says: the five core lists and the eleven others.

Belongs here: which list comes when. Not here: cells (`more_lists`, `event_lists`), folders of the core lists (`deliveries`).
"""

from datetime import date
from pathlib import Path

from tests.synthetic.deliveries import Rounds
from tests.synthetic.dirt import Dirt
from tests.synthetic.event_lists import EventListWriter
from tests.synthetic.more_files import MORE_FOLDERS, MoreFiles
from tests.synthetic.more_lists import MoreListWriter, deliver_more
from tests.synthetic.population import World

# Months in which a list comes; the first round has them all, so that the register begins with every list.
_QUARTERLY = (2, 5, 8, 11)
_MONTHS = {
    "elderly_alone": _QUARTERLY,
    "serious_illness": _QUARTERLY,
    "student_support": (3, 9),
    "satisfaction": (6, 12),
}


class EveryListRounds(Rounds):
    """Rounds of a street in which every department delivers."""

    def __init__(self, world: World, dirt: Dirt, out: Path) -> None:
        super().__init__(world, dirt, out)
        self.more = MoreFiles(world, dirt)

    def _deliver_more(self, landing: Path, month: date) -> None:
        self.more.update(month)
        variant = len(self.months)
        lists = [list_code for list_code in MORE_FOLDERS if self._is_due(list_code, month)]
        true_rows, _ = deliver_more(
            landing, self.more, MoreListWriter(self.world, self.dirt, month, variant), lists
        )
        self.true_rows.extend(true_rows)
        events = EventListWriter(self.world, self.dirt, month, variant)
        for list_code, title, write in (
            ("problem", "问题台账", events.problems),
            ("need", "需求调查", events.needs),
            ("resource", "居民资源", events.resources),
            ("satisfaction", "满意度问卷", events.questionnaires),
        ):
            if self._is_due(list_code, month):
                self._csv(landing, list_code, f"{title}{month:%Y%m}.csv", write(self.register), "utf-8")

    def _is_due(self, list_code: str, month: date) -> bool:
        return not self.months or month.month in _MONTHS.get(list_code, (month.month,))
