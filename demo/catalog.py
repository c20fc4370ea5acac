"""What the demo's school teaches, and the names its learners are made of."""

from __future__ import annotations

from dataclasses import dataclass

Sections = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A course of the catalog. `price`: of the verified certificate, in dollars; 0: none is sold."""

    org: str
    number: str
    name: str
    language: str = "en"
    price: int = 0
    is_self_paced: bool = True
    ends_in_days: int = 0
    ends_now: bool = False
    sections: Sections = ()


def weekly(*titles: str) -> Sections:
    """One section a week; each title is “name: highlight; highlight …”."""
    named = (title.partition(": ") for title in titles)
    return tuple((name, tuple(filter(None, rest.split("; ")))) for name, _, rest in named)


GARDEN = weekly(
    "Know your soil: Take a soil sample and read its texture; Three ways to feed a tired bed; Meet the worms",
    "Plan the year: Draw your plot to scale; Choose crops that follow each other well",
    "Sowing: Start seeds on a windowsill; Read a seed packet like a grower",
    "Watering: How deep roots drink; A can, a hose or a drip line",
    "Good neighbors: Plants that help each other; Flowers that call the bees",
    "Weeds: Which ones to eat; A hoe in time",
    "Pests: Look before you spray; Who eats your aphids",
    "Harvest: Pick in the morning; Keep herbs for the winter",
    "Compost: What goes in, what stays out; Turn it in ten minutes a week",
    "Pruning: The three cuts; When to leave a tree alone",
    "Winter: Cover the beds; Sharpen, oil, rest; Plan what comes next",
)
PYTHON = weekly(
    "First steps: Install Python and say hello; Variables are names, not boxes; Your first loop",
    "Functions: Write one that does one thing; Read an error message without fear",
    "Collections: Lists, tuples, sets and dicts, and when to take which",
    "Project work",
    "Files: Read a table of birds; Count what you saw; Draw it",
    "Tests: A test that fails first; Let the machine check your work",
)
ARABIC = weekly(
    "الحروف: تعلّم الحروف الأولى; اكتب اسمك",
    "التحية: كيف تسلّم على الناس; حوار قصير في السوق",
    "الأرقام: العدّ حتى مئة; كم الثمن؟",
)
SPANISH = weekly(
    "La célula: Qué hay dentro de una célula; Dibuja la tuya",
    "La herencia: Los guisantes de Mendel; Por qué te pareces a tu abuela",
)

COURSES = (
    Row(org="MeadowX", number="GARDEN1", name="A Garden in a Year", price=49, sections=GARDEN),
    Row(org="MeadowX", number="PY101", name="Python for the Curious", price=99, sections=PYTHON),
    Row(org="SoukX", number="AR100", name="العربية للمبتدئين", language="ar", price=39, sections=ARABIC),
    Row(org="AndesX", number="BIO1", name="Biología para todos", language="es", sections=SPANISH),
    Row(org="MeadowX", number="STAT1", name="使える統計入門", language="ja", price=79),
    Row(org="MeadowX", number="BEES", name="Bees & Wasps: “Friends” <or> Foes?", price=29),
    Row(org="AndesX", number="HIST2", name="Historia de los Andes", language="es", price=59),
    Row(org="RiverX", number="WATER", name="Clean Water Engineering", price=149),
    Row(org="RiverX", number="MAPS", name="Karten lesen und zeichnen", language="de"),
    Row(org="RiverX", number="SONG", name="Écrire une chanson", language="fr", price=35),
    Row(org="GalileeX", number="HEB1", name="מבוא לספרות עברית", language="he", price=45),
    Row(org="RiverX", number="LAST", name="Steam Engines", price=25, ends_in_days=90, ends_now=True),
    Row(org="HarborX", number="SAIL1", name="帆船入门", language="zh-hans", price=89),
    Row(org="HarborX", number="KNOTS", name="Nós de marinheiro", language="pt-br"),
    Row(org="MeadowX", number="LOGIC", name="Logic, with a Class", price=89, is_self_paced=False),
)

FIRST_NAMES = ("Ada", "Bola", "Chen", "Dina", "Emil", "Fatima", "Goran", "Hana", "Ivo", "Jun", "Kofi", "Lena", "Mai")
LAST_NAMES = ("Abebe", "Berg", "Castro", "Dubois", "Endo", "Farah", "Garcia", "Hoang", "Ito", "Jansen", "Khan", "Levi")
