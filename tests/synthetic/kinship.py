"""How a person is related to the head of a household, as the lists write it (GB/T 4761-2008, domain.md 2.3)."""

from tests.synthetic.population import Person

# Other words in use for the same relation; which one a clerk uses is chance.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "户主": ("本人",),
    "配偶": ("妻", "夫", "妻子", "丈夫"),
    "子": ("儿子", "长子"),
    "女": ("女儿", "长女"),
    "父": ("父亲",),
    "母": ("母亲",),
    "孙子": ("孙",),
    "外孙": ("外孙子",),
    "儿媳": ("媳妇",),
    "非亲属": ("其他", "房客"),
}
# The fuller words of GB/T 4761 for the words the lists use; an inspector takes them for the same.
_STANDARD_WORDS: dict[str, tuple[str, ...]] = {
    "子": ("独生子", "次子", "其他儿子"),
    "女": ("独生女", "次女", "其他女儿"),
    "姐": ("姐姐",),
    "妹": ("妹妹",),
    "孙子": ("孙子女或外孙子女",),
    "孙女": ("孙子女或外孙子女",),
    "外孙": ("孙子女或外孙子女",),
    "外孙女": ("孙子女或外孙子女",),
    "其他": ("其他亲属",),
}
_SEXED = {"妻": "女", "妻子": "女", "夫": "男", "丈夫": "男"}


def synonyms_for(relation: str, sex: str) -> tuple[str, ...]:
    """Words a clerk may write instead, fitting the person's sex."""
    return tuple(word for word in SYNONYMS.get(relation, ()) if _SEXED.get(word, sex) == sex)


def is_same_relation(shown: str, true: str, sex: str) -> bool:
    """Whether a register's word says the true relation (as `relation_to_head` words it)."""
    return shown in {true, *synonyms_for(true, sex), *_STANDARD_WORDS.get(true, ())}


def relation_to_head(people: dict[int, Person], person: Person, head: Person) -> str:
    """户主 for the head, otherwise the closest kin term, 其他 for far relatives, 非亲属 for strangers."""
    is_male = person.sex == "男"
    if person.uid == head.uid:
        return "户主"
    if person.spouse == head.uid:
        return "配偶"
    parents, head_parents = _parents(person), _parents(head)
    if head.uid in parents or (head.spouse is not None and head.spouse in parents):
        return "子" if is_male else "女"
    if person.uid in head_parents:
        return "父" if is_male else "母"
    if head.spouse is not None and person.uid in _parents(people[head.spouse]):
        wife_side = head.sex == "男"
        return ("岳父" if is_male else "岳母") if wife_side else ("公公" if is_male else "婆婆")
    if person.spouse is not None and _is_child(people[person.spouse], head):
        return "女婿" if is_male else "儿媳"
    for parent in parents:
        if _is_child(people[parent], head):
            through_son = people[parent].sex == "男"
            return ("孙子" if is_male else "孙女") if through_son else ("外孙" if is_male else "外孙女")
    if parents and set(parents) & set(head_parents):
        older = person.birth < head.birth
        return ("兄" if older else "弟") if is_male else ("姐" if older else "妹")
    for parent in head_parents:
        if person.uid in _parents(people[parent]):
            through_father = people[parent].sex == "男"
            return ("祖父" if is_male else "祖母") if through_father else ("外祖父" if is_male else "外祖母")
    return "非亲属" if person.is_lodger else "其他"


def _parents(person: Person) -> tuple[int, ...]:
    return tuple(uid for uid in (person.father, person.mother) if uid is not None)


def _is_child(person: Person, head: Person) -> bool:
    parents = _parents(person)
    return head.uid in parents or (head.spouse is not None and head.spouse in parents)
