"""What the programs asked of MariaDB, by which plan, and what of their statements was never asked.

    with MariaDB(options=LOGGED) as server:
        ...
        for shape, seen in read_log(server).items(): ...
    texts = written_statements(root)

The server's slow log, told that everything is slow, has each statement with its values, the rows that it examined and
the plan that it ran by, prepared statements and batches too. A shape is a statement without its values; a list of
rows counts as one, however long it was.
"""

import glob
import os
import re

from mariadb import USER

LOG = "statements.log"
LOGGED = [f"--slow-query-log-file={LOG}", "--long-query-time=0", "--log-output=FILE",
          "--log-slow-verbosity=query_plan,explain"]
ROOMS = ("lib", "worker", "ctl", "webhook")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?\b")
TEXT = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
LIST = re.compile(r"\((?:\?, ?)*\?\)")
ROWS = re.compile(r"\(\?\)(?:, ?\(\?\))+")
VERB = re.compile(r"\b(?:SELECT|INSERT(?: IGNORE)? INTO|UPDATE|DELETE FROM|REPLACE INTO)\b ")
# One or more literals side by side, with names of macros between them.
LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:[A-Z][A-Z0-9_]+\s*)?"(?:[^"\\\n]|\\.)*")*')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"|([A-Z][A-Z0-9_]+)')


def shape_of(text):
    """The statement without its values."""
    text = " ".join(TEXT.sub("?", text).split())
    text = NUMBER.sub("?", text)
    text = re.sub(r"\bNULL\b", "?", text)
    return ROWS.sub("(?)", LIST.sub("(?)", text))


class Step:
    """One table of a plan."""

    def __init__(self, line, text):
        fields = dict(zip(("id", "select", "table", "type", "keys", "key", "key_len", "ref", "rows", "r_rows",
                           "filtered", "r_filtered", "extra"), line.split("\t")))
        self.name = fields["table"]
        self.select = fields["select"]
        self.type = fields["type"]
        self.key = fields["key"]
        self.extra = fields.get("extra", "")
        self.read = 0 if fields["r_rows"] in ("NULL", "") else float(fields["r_rows"])
        alias = re.search(rf"\b(?:FROM|JOIN|UPDATE|IGNORE) (\w+) (?:AS )?{re.escape(self.name)}\b", text)
        self.table = alias.group(1) if alias else self.name

    def __str__(self):
        return f"{self.table}: {self.type} by {self.key}, {self.read:.0f} rows ({self.extra})"


class Seen:
    """All that was seen of one shape: the most rows that it examined, and each step of its plans at its worst."""

    def __init__(self):
        self.times = 0
        self.examined = 0
        self.seconds = 0.0
        self.steps = {}

    def add(self, entry):
        self.times += 1
        self.examined = max(self.examined, entry.examined)
        self.seconds = max(self.seconds, entry.seconds)
        for step in entry.steps:
            place = step.table, step.type, step.key
            if place not in self.steps or self.steps[place].read < step.read:
                self.steps[place] = step


class Entry:
    """One statement of the log."""

    def __init__(self, lines):
        self.user = re.match(r"# User@Host: (\S*?)\[", lines[0]).group(1)
        at = next((i for i, line in enumerate(lines) if line.startswith("SET timestamp=")), len(lines))
        self.text = "\n".join(lines[at + 1:]).rstrip().rstrip(";")
        head = " ".join(lines[:at])
        self.examined = int(re.search(r"Rows_examined: (\d+)", head).group(1))
        self.seconds = float(re.search(r"Query_time: ([\d.]+)", head).group(1))
        plain = TEXT.sub("?", self.text)
        self.steps = [Step(line[len("# explain: "):], plain) for line in lines[:at]
                      if line.startswith("# explain: ") and not line.startswith("# explain: id\t")]
        self.steps = [step for step in self.steps if step.select not in ("INSERT", "REPLACE")]  # of values: no plan


def entries(text):
    lines = []
    for line in text.split("\n"):
        if line.startswith("# User@Host: "):
            if lines:
                yield Entry(lines)
            lines = [line]
        elif lines and not line.startswith("# Time: "):
            lines.append(line)
    if lines:
        yield Entry(lines)


def read_log(server):
    """{shape: Seen} of what the programs asked."""
    with open(os.path.join(server.folder, "data", LOG), encoding="latin-1") as log:
        text = log.read()
    shapes = {}
    for entry in entries(text):
        if entry.user == USER and entry.text:
            shapes.setdefault(shape_of(entry.text), Seen()).add(entry)
    return shapes


def pieces_of(literals):
    """The literal text between formats and macros, as shapes: what must stand, in this order, in a statement."""
    whole = ""
    for text, name in LITERAL.findall(literals):
        whole += "\0" if name else text.replace('\\"', '"').replace("\\n", "\n")
    parts = re.split(r"\0|%(?:lld|[a-z])", whole.replace("'%s'", "'x'"))
    return [piece for piece in (shape_of(part) for part in parts) if re.search(r"\w{3}", piece)]


def written_statements(root):
    """[(file, [piece, ...])] of every statement, or beginning of one, in the sources."""
    found = []
    for room in ROOMS:
        for path in sorted(glob.glob(os.path.join(root, room, "**", "*.c"), recursive=True)):
            with open(path, encoding="utf-8") as file:
                source = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL).replace("\\\n", "\n")
            found += [(os.path.relpath(path, root), pieces_of(match.group(0))) for match in LITERALS.finditer(source)
                      if VERB.search(match.group(0).replace('"', " "))]
    return found


def was_asked(pieces, shapes):
    """Whether a statement has all of the pieces, in their order."""
    pattern = re.compile(".*".join(re.escape(piece.replace(" (?)", "").strip(" ()")) for piece in pieces))
    return any(pattern.search(shape.replace(" (?)", "")) for shape in shapes)
