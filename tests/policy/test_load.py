"""Reading rules: what a user's file does, and what is wrong in one is named by file, table and key."""

from fractions import Fraction
from pathlib import Path

import pytest

from stream.policy import Outcome, PolicyError, RulesPolicy
from stream.policy.load import RULES_FOLDER
from stream.settings import Settings
from tests.policy.facts import at, judge, order, rules

EXEMPT = """
[[my-shop.rules.exempt]]
reason = "low_value"
grade = "A"
source = ["ours"]
"""
ENTRY = "from = 2024-01-01\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my.toml"


def policy(file: Path, text: str) -> RulesPolicy:
    file.write_text(text, encoding="utf-8")
    return RulesPolicy.of(Settings(policy_file=str(file)))


def name(policy: RulesPolicy, marketplace: str, day: str) -> str:
    return policy.standard(marketplace, int(at(day).timestamp()) // 3600).policy


# --- What a file does ------------------------------------------------------------------------------------------------


def test_a_new_family_for_another_marketplace(file: Path) -> None:
    text = rules(
        "my-shop",
        ["MYSHOP", "MX"],
        "",
        'from = 2025-01-01\n[[my-shop.rules.exempt]]\nreason = "low_value"\n'
        'value = "<= 5 EUR"\ngrade = "A"\nsource = ["ours"]',
    )
    mine = policy(file, text.replace("share = 0.95", "share = 0.90"))
    assert [name(mine, "MYSHOP", day) for day in ("2024-12-31", "2025-01-01")] == ["my-shop", "my-shop-2025-01-01"]
    assert mine.standard("MX", 500_000).threshold == Fraction(9, 10)
    assert judge(order("MYSHOP", "2025-01-01", "5 EUR"), policy=mine).reason == "low_value"
    assert judge(order("MYSHOP", "2025-01-01", "5.01 EUR"), policy=mine) == (Outcome.VALID, None, None, 0, False)
    assert judge(order("MYSHOP", "2024-12-31", "5 EUR"), policy=mine).outcome is Outcome.VALID
    assert name(mine, "DE", "2025-06-01") == "amazon-de-2025-01-15"


def test_an_entry_of_the_same_day_replaces_and_another_goes_between(file: Path) -> None:
    text = rules("amazon-de", ["DE"], "from = 2023-01-01\n", "from = 2025-01-15\n", "from = 2026-01-01\n")
    mine = policy(file, text)
    days = ("2021-04-18", "2021-04-19", "2022-12-31", "2025-01-14", "2025-01-15", "2025-12-31", "2026-01-01")
    assert [name(mine, "DE", day) for day in days] == [
        "default",
        "amazon-de-2021-04-19",
        "amazon-de-2021-04-19",
        "amazon-de-2023-01-01",
        "amazon-de-2025-01-15",
        "amazon-de-2025-01-15",
        "amazon-de-2026-01-01",
    ]
    cheap = order("DE", "2025-06-01", "15 EUR", ship_from="DE", ship_to="DE")
    assert not judge(cheap, policy=mine).ambiguous, "the product's entry is gone, and its questions with it"


def test_a_family_takes_the_marketplaces_that_it_names(file: Path) -> None:
    mine = policy(file, rules("my-eu", ["FR", "A1RKKUPIHCS9HS"], ENTRY))
    assert name(mine, "FR", "2026-01-01") == name(mine, "ES", "2026-01-01") == "my-eu-2024-01-01"
    assert name(mine, "FR", "2023-12-31") == "default"
    assert name(mine, "IT", "2026-01-01") == "amazon-eu-2025-01-15"
    assert mine.families["amazon-eu"].marketplaces == ("IT", "NL", "PL", "SE")


def test_what_is_not_given_stays(file: Path) -> None:
    text = rules("amazon-jp", ["JP"], "from = 2026-01-01\n").replace("marketplaces = ['JP']", "")
    mine = policy(file, text)
    assert mine.families["amazon-jp"].marketplaces == ("JP",)
    assert mine.families["amazon-jp"].dated_by == "promised_delivery"
    assert mine.families["amazon-jp"].title == "Amazon.co.jp (Japan)"


def test_the_default_can_be_replaced(file: Path) -> None:
    text = rules("default", [], "").replace("share = 0.95", "share = 0.8")
    mine = policy(file, text)
    assert mine.standard("MX", 500_000) == mine.standard(None, 0) == (Fraction(4, 5), "default")
    assert judge(order("MX", "2026-01-01"), policy=mine) == (Outcome.VALID, None, None, 0, False)


def test_the_default_can_be_dated_by_the_promise(file: Path) -> None:
    text = rules("default", [], "", "from = 2026-01-03\n").replace(
        "[default]\n", "[default]\ndated_by = 'promised_delivery'\n"
    )
    mine = policy(file, text)
    shipped = order("MX", "2026-01-01", promised_delivery_by=at("2026-01-03"))
    assert mine.timeline("MX").entry(shipped).standard.policy == "default-2026-01-03"


def test_countries_and_marketplaces_mean_what_is_meant(file: Path) -> None:
    text = rules("my-shop", ["GB", "A1PA6795UKMFR9"], ENTRY + EXEMPT + 'ship_from = ["uk"]')
    mine = policy(file, text)
    assert mine.families["my-shop"].marketplaces == ("UK", "DE")
    assert judge(order("UK", "2024-01-01", ship_from="GB"), policy=mine).reason == "low_value"


# --- What is wrong ---------------------------------------------------------------------------------------------------

GOOD = rules("my-shop", ["MYSHOP"], ENTRY + EXEMPT + 'value = "< 5 EUR"')

WRONG = [
    ("", "there are no rules in it"),
    ("[my-shop]\nmarketplaces = ['A']", "[my-shop]: there are no `rules`"),
    (GOOD.replace("marketplaces = ['MYSHOP']", ""), "[my-shop]: there are no `marketplaces`"),
    (GOOD.replace("[my-shop]", "[my-shop]\nname = 1", 1), "[my-shop]: Object contains unknown field `name`"),
    (GOOD.replace("my-shop", "My"), "[My]: a family's name is lower-case"),
    ("title = 'x'", "[title]: expected the table of a family"),
    (GOOD.replace("value =", "valeu ="), "unknown field `valeu` - at `rules[0].exempt[0]`"),
    (GOOD.replace("< 5 EUR", "< 5 ERU"), "rules[0].exempt[0].value: `ERU` is no currency"),
    (GOOD.replace("< 5 EUR", "5 EUR"), "rules[0].exempt[0].value: `5 EUR` is no bound"),
    (GOOD.replace('value = "< 5 EUR"', 'ship_from = ["XX"]'), "rules[0].exempt[0].ship_from: `XX` is not an ISO 3166"),
    (GOOD.replace('value = "< 5 EUR"', 'carriers = ["Nobody"]'), "rules[0].exempt[0].carriers[0]: `Nobody`"),
    (GOOD.replace('value = "< 5 EUR"', 'carriers = ["ups"]'), "`ups` is no known carrier; it is called UPS"),
    (GOOD.replace('value = "< 5 EUR"', ""), "rules[0].exempt[0]: an exemption without conditions"),
    (GOOD.replace('"low_value"', '"cheap"'), "Invalid enum value 'cheap' - at `rules[0].exempt[0].reason`"),
    (GOOD.replace("0.95", "1.01"), "rules[0].threshold.share: 1.01 is not a share"),
    (GOOD.replace("hours = 24", "hours = 673"), "at `rules[0].grace.hours`"),
    (GOOD.replace('grade = "D", ', "", 1), "missing required field `grade` - at `rules[0].threshold`"),
    (GOOD.replace('source = ["ours"]', "source = []", 1), "at `rules[0].threshold.source`"),
    (GOOD.replace('needs = ["physical"]', 'needs = ["x-ray"]'), "Invalid enum value 'x-ray'"),
    (
        GOOD.replace('needs = ["physical"]', 'needs = ["physical"]\nvalue = "< 1 EUR"'),
        "rules[0].scans[0]: the last has",
    ),
    (GOOD + GOOD[GOOD.index("[[my-shop.rules.scans") :], "rules[0].scans[0]: no later one can apply"),
    (GOOD.replace("2024-01-01", "2024-13-01"), "my.toml: "),
    (GOOD.replace("2024-01-01", "'soon'"), "at `rules[0].from`"),
    (rules("my-shop", ["A"], ENTRY, ENTRY), "rules[1].from: must be after"),
    (rules("my-shop", ["A"], ENTRY, ""), "rules[1].from: must be after"),
    (
        rules("my-shop", ["A"], ENTRY + "until = 2024-12-31", "from = 2025-01-02"),
        "rules[0].until: 2024-12-31 leaves a gap",
    ),
    (rules("my-shop", ["A"], ENTRY + "until = 2025-01-02", "from = 2025-01-02"), "rules[0].until: 2025-01-02 overlaps"),
    (rules("my-shop", ["A"], ENTRY + "until = 2024-12-31"), "rules[0].until: the last entry has none"),
    (rules("a", ["A"], ENTRY) + rules("b", ["A"], ENTRY), "marketplaces: A is also in [a]"),
    (rules("amazon-de", ["DE"], "from = 2026-01-01\nuntil = 2026-12-31"), "[amazon-de] rules[2].until: the last"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_an_error_is_one_line_that_names_file_table_and_key(file: Path, text: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(file, text)
    message = str(caught.value)
    assert problem in message
    assert "my.toml" in message
    assert "\n" not in message


def test_the_good_file_is_good(file: Path) -> None:
    assert judge(order("MYSHOP", "2024-01-01", "4 EUR"), policy=policy(file, GOOD)).reason == "low_value"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"^cannot read policy file .*none\.toml: No such file"):
        RulesPolicy.of(Settings(policy_file=str(tmp_path / "none.toml")))


@pytest.mark.parametrize("path", sorted(RULES_FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_the_product_s_files_are_a_users_too(path: Path) -> None:
    assert RulesPolicy.of(Settings(policy_file=str(path))).families.keys() == RulesPolicy.of(Settings()).families.keys()


def test_the_example_of_the_folder(file: Path) -> None:
    readme = (RULES_FOLDER / "README.md").read_text(encoding="utf-8")
    mine = policy(file, readme.split("```toml\n")[1].split("```")[0])
    assert name(mine, "MYSHOP", "2026-01-01") == "my-shop-2026-01-01"
    assert mine.judges_reuse
