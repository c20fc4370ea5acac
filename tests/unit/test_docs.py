"""The documentation is held to the code: what is there is documented, and what is documented is there."""

import inspect
import re
from datetime import UTC, date, datetime
from math import ceil
from statistics import NormalDist
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from django.contrib.sites.models import Site
from django.core.management import get_commands, load_command_class

import schedules.api
import schedules.messages
import schedules.signals
from schedules.admin.report_form import ReportForm
from schedules.conf import SETTINGS, conf
from schedules.finding.facts import Facts
from schedules.gates import FOR_ALL, Gate
from schedules.host import Host
from schedules.message_types import message_names, messages, reasons, resolvers
from schedules.message_types.resolver import Resolver
from schedules.models import CustomText, HoldBack, ScheduledMessage
from schedules.previewing import VARIANTS
from schedules.reporting import ReportScope, tables
from schedules.reporting.comparison import Comparison, Effect, Share
from schedules.reporting.counts import COUNT_NAMES, MessageReport
from schedules.tracking import TrackedMessage, events, ga4, pixel, utm
from schedules.values.languages import RELEASED, nearest
from schedules.values.markup import PLACEHOLDERS
from schedules.values.outcomes import FailReason, SkipReason, Totals
from tests.documentation import DOCS, PAGE_IDS, PAGES, ROOT, code_blocks, first_cells, page, part

APP = ROOT / "schedules"


# Behavior -----------------------------------------------------------------------------------------


def rules():
    """The numbers of the rules, in their order."""
    return re.findall(r"^\*\*(\d+\.\d+[a-z]?)\*\* ", page("reference/behavior"), re.M)


def sections():
    return re.findall(r"^(\d+)\. [^\n]+\n-+$", page("reference/behavior"), re.M)


def test_the_rules_of_behavior_stand_in_the_order_of_their_numbers_each_in_its_section():
    assert sections() == [str(number) for number in range(1, len(sections()) + 1)]
    assert len(set(rules())) == len(rules())
    for section in re.split(r"\n(?=\d+\. [^\n]+\n-+\n)", page("reference/behavior"))[1:]:
        number = section.partition(".")[0]
        numbers = re.findall(r"^\*\*(\d+)\.(\d+)[a-z]?\*\* ", section, re.M)
        assert {of for of, _ in numbers} == {number}
        assert [int(rule) for _, rule in numbers] == sorted(int(rule) for _, rule in numbers)


def test_the_rules_that_are_cited_are_there():
    sources = [path for folder in (APP, ROOT / "tests", ROOT / "demo") for path in folder.rglob("*.py")]
    cited = {
        (path.name, number)
        for path in [*sources, *PAGES]
        for numbers in re.findall(
            r"\bbehavior (\d+(?:\.\d+[a-z]?)?(?:, \d+\.\d+[a-z]?)*)", path.read_text(encoding="utf-8")
        )
        for number in numbers.split(", ")
    }
    assert len(cited) > 20
    assert {(name, number) for name, number in cited if number not in {*rules(), *sections()}} == set()


# Settings -----------------------------------------------------------------------------------------


def test_each_key_of_schedules_says_on_the_page_of_settings_what_it_means():
    """The page is made from the declarations themselves."""
    assert ".. schedules-settings::" in page("reference/settings")
    for key, setting in SETTINGS.items():
        assert setting.doc.endswith("."), key
        assert setting.rule.allowed
        assert getattr(conf, key.lower()) is not None


# Commands -----------------------------------------------------------------------------------------


def app_commands():
    return sorted(name for name, app in get_commands().items() if app == "schedules")


def test_the_commands_are_those_that_are_documented():
    assert sorted(first_cells(page("reference/commands"))) == app_commands()
    assert sorted(re.findall(r"^([a-z]+_[a-z_]+)\n-+$", page("reference/commands"), re.M)) == app_commands()
    assert sorted(re.findall(r"^\.\. program:: (\w+)$", page("reference/commands"), re.M)) == app_commands()


@pytest.mark.parametrize("name", app_commands())
def test_the_options_of_a_command_are_those_that_are_documented(name):
    command = load_command_class("schedules", name)
    parser = command.create_parser("manage.py", name)
    base = {
        "help",
        "version",
        "verbosity",
        "settings",
        "pythonpath",
        "traceback",
        "no_color",
        "force_color",
        "skip_checks",
    }
    options = {
        action.option_strings[-1] if action.option_strings else action.dest
        for action in parser._actions
        if action.dest not in base
    }
    documented = page("reference/commands").partition(f".. program:: {name}\n")[2].partition(".. program::")[0]
    assert set(re.findall(r"^\.\. option:: ([\w-]+)", documented, re.M)) == options


@pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)
def test_commands_and_targets_that_pages_name_exist(path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"manage\.py (?!COMMAND)([a-z_]+)", text)) <= get_commands().keys()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"(?:``|^ +)make ([a-z-]+)", text, re.M)) <= targets


# Messages -----------------------------------------------------------------------------------------


def test_the_message_names_are_those_that_are_documented():
    templates = APP / "templates/schedules/edx_ace"
    names = [path.name for path in templates.iterdir() if (path / "email").is_dir()]
    documented = first_cells(page("reference/messages").partition("\nTemplates\n")[0])
    assert sorted(documented) == sorted(names)
    assert set(message_names()) <= set(messages()) == set(documented)


def test_the_message_types_are_those_that_are_documented():
    table = page("reference/messages").partition("\nTemplates\n")[0]
    assert set(re.findall(r"\* - ``\w+``\n +- ``(\w+)``", table)) == set(resolvers())


def test_the_variants_of_previews_are_those_that_are_documented():
    assert first_cells(page("howto/look-at-messages")) == list(VARIANTS)


def test_the_template_files_are_those_that_are_documented():
    from schedules.sending.translated import FILES

    assert {*first_cells(part("reference/messages", "Templates")), "words.txt"} == set(FILES)


def test_what_a_message_type_says_is_documented():
    said, due_course, imports = (
        first_cells(table)
        for table in part("reference/messages", "What a message type says").split(".. list-table::")[1:]
    )
    assert said == [*Resolver.__annotations__, "day_offsets", "context", "message_name", "message_key"]
    assert {"day_offsets", "context"} == Resolver.__abstractmethods__
    assert due_course == list(schedules.messages.DueCourse.__dataclass_fields__)
    assert sorted(imports) == sorted(schedules.messages.__all__)


def test_the_languages_are_those_that_are_documented_with_their_plural_forms():
    from tools.catalogs import StableCatalog

    table = page("reference/languages").partition("\nThe language of a message\n")[0]
    rows = re.findall(r"\* - ``([\w-]+)``\n +- .+\n +- (\d)\n", table)
    assert {code: int(forms) for code, forms in rows} == {code: StableCatalog(code).num_plurals for code in RELEASED}


def test_the_nearest_languages_are_those_that_are_documented():
    rows = re.findall(
        r"\* - ``([\w-]+)``\n +-(?: ``([\w-]+)``)?\n", part("reference/languages", "The language of a message")
    )
    assert len(rows) >= 5
    assert {code: nearest(code) or "" for code, _ in rows} == dict(rows)


def test_the_keys_of_custom_text_are_those_that_are_documented():
    from schedules.custom_text import Words

    row = CustomText(subject="x", intro="x", button_label="x")
    documented = [
        name for name in first_cells(part("reference/messages", "Optional context")) if name.startswith("custom_")
    ]
    assert documented == list(Words(row).context({}))


def test_the_placeholders_are_those_that_are_documented():
    rows = re.findall(r"\* - ``\{(\w+)\}``\n(?: {5}.*\n)*? {5}- (all messages|``\w+``)\n", page("howto/custom-text"))
    types = {name: resolver for name, (resolver, _) in messages().items()}
    assert dict(rows).keys() == set(PLACEHOLDERS)
    for placeholder, where in rows:
        knowing = {name for name, resolver in types.items() if placeholder in resolver.placeholders}
        assert knowing == (set(types) if where == "all messages" else {where.strip("`")})


# Tracking -----------------------------------------------------------------------------------------

MESSAGE = TrackedMessage(
    app_label="schedules",
    name="courseupdate",
    uuid=UUID(int=1),
    send_uuid=UUID(int=2),
    site_domain="x",
    course_ids=("c",),
)
DAY = datetime(2026, 3, 9, tzinfo=UTC)


def test_the_utm_parameters_are_those_that_are_documented():
    assert first_cells(part("reference/tracking", "UTM parameters")) == list(utm.utm_parameters(MESSAGE))


def test_the_parameters_of_the_pixel_are_those_that_are_documented():
    query = urlsplit(pixel.pixel_url("UA-1-1", MESSAGE)).query
    assert first_cells(part("reference/tracking", "The pixel")) == [name for name, _ in parse_qsl(query)]


def test_the_parameters_of_google_s_event_are_those_that_are_documented():
    (event,) = ga4.opened(MESSAGE, DAY)["events"]
    assert first_cells(part("reference/tracking", event["name"])) == list(event["params"])


def test_the_events_are_documented_with_their_properties():
    held_back = HoldBack(site_id=1, user_id=2, course_id="c", experience_type=0, content_availability_date=DAY)
    for event in events.email_sent(MESSAGE, 1, "en", DAY), events.schedule_suppressed(held_back):
        assert first_cells(part("reference/tracking", event.name)) == list(event.properties)


def test_the_learners_that_a_comparison_needs_are_those_of_the_formula():
    """The usual one for two proportions, with 95 % confidence and 80 % power; one in five comes back anyway."""
    rows = re.findall(
        r"\* - (0\.\d)\n +- (\d) points\n +- (\d+)\n +- (\d+)\n", part("explanation/measuring", "Held back")
    )
    assert len(rows) == 6
    squared = (NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) ** 2
    for ratio, points, held_back, scheduled in rows:
        rate, per_held_back = 0.2 + int(points) / 100, (1 - float(ratio)) / float(ratio)
        needed = squared * (0.2 * 0.8 + rate * (1 - rate) / per_held_back) / (rate - 0.2) ** 2
        assert (int(held_back), int(scheduled)) == (ceil(needed), ceil(needed * per_held_back))


# The ledger ---------------------------------------------------------------------------------------


def test_the_states_and_reasons_are_those_that_are_documented():
    assert first_cells(part("reference/ledger", "States")) == ScheduledMessage.Status.values
    assert set(first_cells(page("reference/gates"))) >= {*SkipReason, *FailReason}
    assert first_cells(part("reference/gates", "Reasons for failed")) == [reason.value for reason in FailReason]
    assert first_cells(part("reference/ledger", "Reasons for stopped")) == [schedules.api.ENQUEUE_DISABLED]


def test_reasons_that_are_explained_exist():
    known = {reason.value for reason in (*SkipReason, *FailReason)}
    assert set(re.findall(r"``([a-z]+(?:-[a-z]+)+)``", page("howto/send-what-was-missing"))) <= known


def table_rows(text):
    """The rows of the tables of a text whose first cell is a literal: each a list of its cells, in one line each."""
    tables = re.sub(r"\n\n(?! )", "\n   * - ", text)
    found = re.split(r"\n   \* - ", tables)[1:]
    cells = ([" ".join(cell.split()) for cell in re.split(r"\n     -(?= |\n|$)", row)] for row in found)
    return [[row[0].strip("`"), *row[1:]] for row in cells if re.fullmatch(r"``[^`]+``", row[0])]


def told(gate):
    return [gate.reason, str(gate.summary), str(gate.remedy), "silent" if gate.is_silent else ""]


def test_the_gates_are_documented_in_their_order_with_what_they_say():
    assert table_rows(part("reference/gates", "Gates of every message")) == [told(gate) for gate in FOR_ALL]
    assert table_rows(part("reference/gates", "Gates of message types")) == [
        [*told(gate), f"``{key}``"] for key, resolver in resolvers().items() for gate in resolver.gates
    ]


def test_the_reasons_that_no_gate_has_are_documented_with_what_they_say():
    documented = [
        *table_rows(part("reference/gates", "Other reasons for skipped")),
        *table_rows(part("reference/gates", "Reasons for failed")),
    ]
    others = reasons.OTHERS.items()
    assert documented == [[str(word), str(reason.summary), str(reason.remedy)] for word, reason in others]


def test_what_a_gate_says_and_may_ask_is_documented():
    assert first_cells(part("reference/gates", "Gates of a host")) == list(Gate.__annotations__) + [
        name for name in ("look", "read", "explain") if hasattr(Gate, name)
    ]
    public = {name for name in vars(Facts) if not name.startswith("_")}
    given = {name for name in inspect.signature(Facts).parameters if name not in {"earlier", "uuid_of"}}
    assert set(first_cells(part("reference/gates", "Facts"))) == public | given


def test_the_models_are_those_that_are_documented():
    assert set(first_cells(page("reference/models"))) == set(schedules.models.__all__) - {"database"}


# Reports ------------------------------------------------------------------------------------------


def an_empty_report():
    site = Site(domain="campus.example.com")
    scope = ReportScope(site=site, first_day=date(2026, 3, 9), last_day=date(2026, 3, 9))
    return MessageReport(scope=scope, total=Totals(), learners_reached=0, messages=(), days=())


def a_comparison():
    nobody = Share(count=0, of=0)
    effect = Effect(
        key="x", label="x", scheduled=nobody, held_back=nobody, difference=None, low=None, high=None, interpretation="x"
    )
    return Comparison(scheduled_count=0, held_back_count=0, effects=(effect,), notes=())


def test_the_counts_of_a_report_are_those_that_are_documented():
    assert first_cells(part("reference/reports", "Counts")) == list(COUNT_NAMES)


def test_the_tables_of_a_report_are_documented_with_their_columns():
    found = {**tables.tables(an_empty_report()), "comparison": tables.comparison_table(a_comparison())}
    assert list(found) == list(tables.TABLE_NAMES)
    for name, table in found.items():
        assert first_cells(part("reference/reports", name.capitalize())) == list(table.columns)


def test_the_keys_of_a_report_are_those_that_are_documented():
    text = part("reference/reports", "JSON")
    compared = tables.comparison_document(a_comparison())
    assert first_cells(text) == [*tables.document(an_empty_report()), "comparison"]
    assert {*compared, *compared["effects"][0], "count", "of", "rate"} <= set(re.findall(r"``(\w+)``", text))


def test_the_parameters_of_a_report_are_those_that_are_documented():
    assert first_cells(part("reference/reports", "What a report is about")) == list(ReportForm.base_fields)


# Host, signals, checks ----------------------------------------------------------------------------


def test_the_questions_to_a_host_are_those_that_are_documented():
    documented = dict(re.findall(r"\.\. py:method:: (\w+)\((.*)\)", page("reference/host")))
    questions = {name: method for name, method in vars(Host).items() if not name.startswith("_")}
    assert documented == {
        name: ", ".join(list(inspect.signature(method).parameters)[1:]) for name, method in questions.items()
    }


def test_the_values_of_a_host_are_documented_with_their_fields():
    rows = re.findall(r"\* - ``(\w+)``\n((?: {5}.*\n)+)", part("reference/host", "Values"))
    documented = {name: re.findall(r"``(\w+)``", cells) for name, cells in rows}
    values = {name: getattr(schedules.host, name) for name in schedules.host.__all__}
    assert documented == {
        name: list(value.__dataclass_fields__)
        for name, value in values.items()
        if hasattr(value, "__dataclass_fields__")
    }


def test_the_signals_are_those_that_are_documented():
    from_host = first_cells(part("reference/host", "Signals and functions"))
    to_host = first_cells(part("reference/host", "Signals to the host"))
    assert {*from_host, *to_host} == set(schedules.signals.__all__) - {"CourseFact"}
    assert set(from_host) <= set(schedules.api.__all__)


def test_what_pages_of_a_host_may_call_is_documented():
    documented = first_cells(part("reference/host", "Opt-outs"))
    assert {name.partition("(")[0] for name in documented} <= set(schedules.api.__all__)
    for name, _, parameters in (one.rstrip(")").partition("(") for one in documented if "(" in one):
        assert ", ".join(inspect.signature(getattr(schedules.api, name)).parameters) == parameters


def test_the_checks_are_those_that_are_documented():
    ids = set(re.findall(r'"(schedules\.[EW]\d+)"', (APP / "checks.py").read_text(encoding="utf-8")))
    assert set(first_cells(page("reference/checks"))) == ids


@pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)
def test_checks_that_pages_name_exist(path):
    named = re.findall(r"``(schedules\.[EW]\d+)``", path.read_text(encoding="utf-8"))
    assert set(named) <= set(first_cells(page("reference/checks")))


# Code ---------------------------------------------------------------------------------------------

PYTHON = [
    pytest.param(block, id=f"{name}-{number}")
    for path, name in zip(PAGES, PAGE_IDS, strict=True)
    for number, block in enumerate(code_blocks(path.read_text(encoding="utf-8"), "python"), start=1)
]


def test_there_are_samples_of_code():
    assert len(PYTHON) > 10


IMPORT = re.compile(r"^ *((?:from|import) schedules\b[^\n(]*(?:\([^)]*\))?)", re.MULTILINE)

#: The last is a function for tests and consoles, which no public module has yet.
PUBLIC = {"api", "host", "messages", "pages", "signals", "testing", "urls", "previewing"}


@pytest.mark.parametrize("block", PYTHON)
def test_python_in_the_docs_compiles_and_imports_what_is_there_and_public(block):
    compile(block, "a page", "exec")
    for line in IMPORT.findall(block):
        names = {}
        exec(line, names)  # noqa: S102 - our own documentation
        assert set(re.findall(r"^from schedules\.(\w+)", line) or names.keys() - {"__builtins__"}) <= PUBLIC


# Pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tutorial", "howto", "reference", "explanation", "contributing"])
def test_each_page_is_listed_under_its_kind(kind):
    files = {f"{kind}/{path.stem}" for path in (DOCS / kind).glob("*.rst")}
    assert set(re.findall(rf"^   ({kind}/[\w-]+)$", page("index"), re.M)) == files


def test_each_decision_is_listed_and_complete():
    files = sorted(path.stem for path in (DOCS / "decisions").glob("0*.rst"))
    assert re.findall(r"^   (\d{4}-[\w-]+)$", page("decisions/index"), re.M) == files
    assert len({name[:4] for name in files}) == len(files)
    for name in files:
        text = page(f"decisions/{name}")
        assert text.startswith(f"{int(name[:4])}. ")
        assert re.findall(r"^([A-Z]\w+)\n-+$", text, re.M) == ["Context", "Decision", "Consequences", "Rejected"]


def test_the_readme_begins_with_the_two_commands():
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    commands = re.findall(r"^   (make \w+)", text, re.M)
    assert commands == ["make demo", "make test"]
    assert text.index("make test") < 200


def test_what_the_readme_says_to_open_is_there():
    table = (
        (ROOT / "README.rst").read_text(encoding="utf-8").partition("To change X, open Y")[2].partition("Work on it")[0]
    )
    named = [path for path in re.findall(r"``([\w./]+)``", table) if "/" in path or path.endswith(".toml")]
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_files_that_contributors_are_told_to_open_are_there():
    text = page("contributing/ten-minute-changes")
    named = set(re.findall(r"``((?:schedules|tests|docs|tools)/[\w./]+)``", text))
    tests = set(re.findall(r"``(test_\w+\.py)``", text))
    assert len(named) > 15
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    assert [name for name in sorted(tests) if not (ROOT / "tests/integration" / name).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)
def test_pages_have_neither_long_lines_nor_british_spelling(path):
    text = path.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > 120] == []
    british = re.findall(
        r"\b(?:enrol|enrolments?|behaviours?|organisations?|colou?rs?|neighbours?|programmes?)\b", text
    )
    assert [word for word in british if word not in {"color", "colors"}] == []
