"""Rules that chapters and assignment sources keep: `python -m tools.lint_notebooks [FILE ...]`.

Each lint is a function `(notebook, path) -> list[Problem]`; `CHAPTER_LINTS` are applied to
`course/*.ipynb`, `SOLUTION_LINTS` to `solutions/*/*.ipynb`.  `--fix` formats code cells first.

Exceptions are written where they apply:
  cell tag `cites`                   numbers in this markdown cell come from the source it links
  `<!-- given: REASON -->`           numbers in this markdown paragraph are given, not measured
  `<!-- allow: WORD REASON -->`      this markdown cell may use WORD
  cell tag `shared`                  this definition is the library's own, compared by syntax tree;
                                     `metadata.companion.shared` names its module if it is another
  cell tag `alone`                   imports stand in this cell: it runs without the others
  tags `nbval-ignore-output`, `nbval-skip`   with `metadata.companion.reason`, at most three
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import io
import json
import pkgutil
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import nbformat
from nbformat import NotebookNode

from tools import notebooks

ROOT = notebooks.ROOT
MAX_LINES, MAX_COLUMNS, MAX_MEDIAN_LINES = 30, 88, 15
MIN_PREDICTIONS, MIN_EXPLORABLES, MIN_BUGS, MAX_SKIPS = 6, 2, 2, 3
SECTIONS = ("What people get wrong", "The price", "In bits", "Sources")
SKIP_TAGS = frozenset({"nbval-ignore-output", "nbval-skip", "pytest-validate-ignore-output"})
SKIP_COMMENT = re.compile(r"^\s*#\s*(NBVAL_\w+|PYTEST_VALIDATE_\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Problem:
    """What is wrong, and in which cell (counted from 0, all kinds; None: the whole notebook)."""

    cell: int | None
    message: str

    def __str__(self) -> str:
        return self.message if self.cell is None else f"cell {self.cell}: {self.message}"


Lint = Callable[[NotebookNode, Path], list[Problem]]


# ---- code -----------------------------------------------------------------------------------


def short_cells(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Code cells of at most 30 lines, half of them of at most 15."""
    lengths = {index: len(cell.source.split("\n")) for index, cell in _code(notebook)}
    problems = [
        Problem(index, f"{n} lines of code; at most {MAX_LINES}")
        for index, n in lengths.items()
        if n > MAX_LINES
    ]
    if lengths and statistics.median(lengths.values()) > MAX_MEDIAN_LINES:
        median = statistics.median(lengths.values())
        problems.append(
            Problem(None, f"the median code cell has {median:g} lines; at most {MAX_MEDIAN_LINES}")
        )
    return problems


def narrow_lines(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Lines of code of at most 88 columns."""
    return [
        Problem(index, f"line {n} has {len(line)} columns; at most {MAX_COLUMNS}")
        for index, cell in _code(notebook)
        for n, line in enumerate(cell.source.split("\n"), start=1)
        if len(line) > MAX_COLUMNS
    ]


def formatted(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Code as `ruff format` writes it at 88 columns."""
    try:
        sources = format_sources(notebook)
    except ValueError as error:
        return [Problem(None, str(error))]
    return [
        Problem(index, "not formatted: run `python -m tools.lint_notebooks --fix`")
        for index, cell in _code(notebook)
        if cell.source != sources[index]
    ]


def no_loose_ends(notebook: NotebookNode, path: Path) -> list[Problem]:
    """No undefined, unused or twice imported names."""
    arguments = ["check", "--isolated", "--select", "F,E71", "--exit-zero"]
    found = json.loads(_ruff([*arguments, "--output-format", "json"], notebook))
    return [
        Problem(item["cell"] - 1, f"{item['message']} ({item['code']})")
        for item in found
        if item["code"] != "invalid-syntax"
    ]


def no_semicolons(notebook: NotebookNode, path: Path) -> list[Problem]:
    """One statement per line."""
    problems = []
    for index, cell in _code(notebook):
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(cell.source).readline))
        except (tokenize.TokenError, SyntaxError) as error:
            problems.append(Problem(index, f"cannot be read as Python: {error}"))
            continue
        problems += [
            Problem(index, f"a semicolon in line {token.start[0]}")
            for token in tokens
            if token.type == tokenize.OP and token.string == ";"
        ]
    return problems


def imports_first(notebook: NotebookNode, path: Path) -> list[Problem]:
    """All imports stand in the first code cell, but for a cell that runs alone (tag `alone`)."""
    problems = []
    for n, (index, tree) in enumerate(_trees(notebook)):
        if "alone" in _tags(notebook.cells[index]):
            continue
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        if n == 0 and not imports:
            problems.append(Problem(index, "the first code cell imports nothing"))
        if n > 0 and imports:
            problems.append(Problem(index, "an import outside the first code cell"))
    return problems


SETUP = re.compile(
    r"^(?:\s*!|%)\S*|\b(pip|pip3|conda|mamba|uv|apt|apt-get) (install|add)\b",
    re.MULTILINE,
)
SETUP_NAMES = frozenset({"sys.path", "os.chdir", "os.environ", "os.system", "site.addsitedir"})
NETWORK = frozenset({"urllib", "requests", "httpx", "socket", "wget", "gdown", "kagglehub"})
PATH_LITERAL = re.compile(
    r"^(\.{1,2}/|/(home|tmp|content|usr|mnt)\b|[A-Z]:\\|precomputed/|course/)"
)


def no_setup(notebook: NotebookNode, path: Path) -> list[Problem]:
    """No install cells, shell lines, path edits, paths of one machine, or downloads."""
    problems = []
    for index, cell in _code(notebook):
        match = SETUP.search(cell.source)
        if match:
            problems.append(Problem(index, f"set-up code: {match.group(0).strip()!r}"))
    for index, tree in _trees(notebook):
        for node in ast.walk(tree):
            name = _dotted(node) if isinstance(node, ast.Attribute) else ""
            if name in SETUP_NAMES:
                problems.append(Problem(index, f"set-up code: {name}"))
            if isinstance(node, ast.Import | ast.ImportFrom):
                for module in NETWORK.intersection(m.partition(".")[0] for m in _imported(node)):
                    problems.append(Problem(index, f"imports {module}: chapters load nothing"))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if PATH_LITERAL.match(node.value):
                    problems.append(
                        Problem(index, f"a path, {node.value!r}: reach files through companion")
                    )
    return problems


def companion_names(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Every name of `companion` used in code or prose exists, is public and is documented."""
    problems, modules = [], {}
    for index, tree in _trees(notebook):
        for name in _imports_of_companion(tree, modules):
            problems += _name_problems(index, name)
    seen: set[str] = set()
    for index, tree in _trees(notebook):
        for node in ast.walk(tree):
            parts = _dotted(node).split(".") if isinstance(node, ast.Attribute) else [""]
            if parts[0] not in modules:
                continue
            name = _module_level(".".join([modules[parts[0]], *parts[1:]]))
            if name not in seen:
                seen.add(name)
                problems += _name_problems(index, name)
    for index, cell in _markdown(notebook):
        for span in re.findall(r"`([^`\n]+)`", cell.source):
            match = re.match(r"companion((\.\w+)+)", span)
            if match:
                problems += _name_problems(index, _module_level(match.group(0)))
            elif re.fullmatch(r"companion(/\w+)+\.(py|js|css)", span):
                if not (ROOT / span).is_file():
                    problems.append(Problem(index, f"there is no file {span}"))
    return problems


def shared_definitions(notebook: NotebookNode, path: Path) -> list[Problem]:
    """A cell tagged `shared` holds the library's definitions; no other cell pastes one."""
    problems = []
    default = f"companion.{path.stem.partition('_')[2]}"
    for index, tree in _trees(notebook):
        cell = notebook.cells[index]
        is_shared = "shared" in _tags(cell)
        module = cell.metadata.get("companion", {}).get("shared", default)
        library = _definitions(module)
        definitions = [node for node in tree.body if isinstance(node, DEFINITION)]
        if is_shared and not definitions:
            problems.append(Problem(index, "tagged `shared` and defines nothing"))
        for node in definitions:
            theirs = library.get(node.name)
            is_same = theirs is not None and _skeleton(node) == theirs
            if is_shared and theirs is None:
                problems.append(Problem(index, f"{module} has no {node.name}"))
            elif is_shared and not is_same:
                problems.append(Problem(index, f"{node.name} differs from {module}.{node.name}"))
            elif not is_shared and is_same:
                problems.append(
                    Problem(index, f"repeats {module}.{node.name}: import it, or tag it `shared`")
                )
    return problems


def reports_assert(notebook: NotebookNode, path: Path) -> list[Problem]:
    """A cell that reports a measured number also asserts the claim about it."""
    problems = []
    for index, tree in _trees(notebook):
        nodes = list(ast.walk(tree))
        does_report = any(_called(node) == "report" for node in nodes)
        if does_report and not any(isinstance(node, ast.Assert) for node in nodes):
            problems.append(Problem(index, "reports a measured number and asserts nothing"))
    return problems


# ---- outputs and file -----------------------------------------------------------------------


def outputs_stored(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Every cell was run, in order; no error, no stderr, no widget, at most 1.5 MB."""
    problems, n_run = [], 0
    if all(cell.execution_count is None for _, cell in _code(notebook)):
        return [Problem(None, "was never run: `make notebooks`")]
    for index, cell in _code(notebook):
        tags = _tags(cell)
        if "nbval-skip" in tags:
            continue
        n_run += 1
        if cell.execution_count != n_run:
            problems.append(
                Problem(index, f"execution count {cell.execution_count}, expected {n_run}: run "
                        "`make notebooks`")
            )  # fmt: skip
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags:
                problems.append(Problem(index, f"a stored error: {output.ename}"))
            if output.output_type == "stream" and output.name == "stderr":
                problems.append(Problem(index, "stored output on stderr"))
            if notebooks.WIDGET_VIEW in output.get("data", {}):
                problems.append(Problem(index, "a stored widget: run `make notebooks`"))
    n_bytes = len(notebooks.serialize(notebook).encode("utf-8"))
    if n_bytes > notebooks.MAX_BYTES:
        problems.append(Problem(None, f"{n_bytes:,} bytes; at most {notebooks.MAX_BYTES:,}"))
    return problems


def no_outputs(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Assignment sources are stored without outputs."""
    return [
        Problem(index, "has a stored output or execution count")
        for index, cell in _code(notebook)
        if cell.outputs or cell.execution_count is not None
    ]


def normalized(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Metadata, ids and the file's text are in the one form that `make notebooks` writes."""
    clean = notebooks.normalize(notebook)
    problems = [
        Problem(index, "not normalized (metadata, id, output or white space)")
        for index, (is_now, wanted) in enumerate(zip(notebook.cells, clean.cells, strict=True))
        if is_now != wanted
    ]
    if notebook.metadata != clean.metadata or notebook.nbformat_minor != clean.nbformat_minor:
        problems.append(Problem(None, "the notebook's metadata or format is not normalized"))
    if not problems and path.is_file():
        if path.read_text(encoding="utf-8") != notebooks.serialize(notebook):
            problems.append(Problem(None, "the file is not written as `make notebooks` writes it"))
    return problems


def alt_texts(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Every picture has an alt text that says in words what it shows."""
    problems = []
    for index, cell in _code(notebook):
        for output in cell.get("outputs", []):
            for mime in output.get("data", {}):
                if mime.startswith("image/"):
                    alt = output.metadata.get(mime, {}).get("alt", "")
                    if len(alt.split()) < 3:
                        problems.append(Problem(index, f"{mime} without alt text: use show(…)"))
    for index, cell in _markdown(notebook):
        text = _without_code(cell.source)
        alts = re.findall(r"!\[([^\]]*)\]\(", text)
        alts += [
            "".join(re.findall(r'alt="([^"]*)"', tag)) for tag in re.findall(r"<img\b[^>]*>", text)
        ]
        problems += [
            Problem(index, f"a picture whose alt text is {alt!r}")
            for alt in alts
            if len(alt.split()) < 3
        ]
    return problems


def few_skips(notebook: NotebookNode, path: Path) -> list[Problem]:
    """At most three cells whose output is not compared, each with a reason; no marker comments."""
    problems, n_skips = [], 0
    for index, cell in _code(notebook):
        if SKIP_COMMENT.search(cell.source):
            problems.append(Problem(index, "a marker comment the reader would see: use a tag"))
        skips = SKIP_TAGS.intersection(_tags(cell))
        if not skips:
            continue
        n_skips += 1
        if n_skips > MAX_SKIPS:
            problems.append(Problem(index, f"more than {MAX_SKIPS} cells are not compared"))
        if len(str(cell.metadata.get("companion", {}).get("reason", "")).split()) < 3:
            problems.append(
                Problem(index, f"{', '.join(skips)} without a reason in metadata.companion.reason")
            )
    return problems


# ---- the parts of a chapter -----------------------------------------------------------------


def predictions(notebook: NotebookNode, path: Path) -> list[Problem]:
    """At least six predictions, each asked in one cell and revealed in a later one."""
    asked: dict[str, int] = {}
    revealed: dict[str, int] = {}
    problems = []
    for index, tree in _trees(notebook):
        for node in ast.walk(tree):
            verb = _called(node)
            if verb not in ("ask", "reveal"):
                continue
            argument = node.args[0] if node.args else None
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                problems.append(Problem(index, f"{verb}(…) takes its id as a literal string"))
                continue
            name, seen = argument.value, asked if verb == "ask" else revealed
            if name in seen:
                problems.append(Problem(index, f"{verb}({name!r}) for the second time"))
            seen[name] = index
            if verb == "ask" and not name.startswith(path.stem[:2] + "."):
                problems.append(Problem(index, f"the id {name!r} should begin {path.stem[:2]}."))
            if verb == "reveal" and name not in asked:
                problems.append(Problem(index, f"reveal({name!r}) was not asked before"))
            elif verb == "reveal" and asked[name] == index:
                problems.append(Problem(index, f"{name!r} is revealed in the cell that asks it"))
    problems += [
        Problem(index, f"ask({name!r}) is never revealed")
        for name, index in asked.items()
        if name not in revealed
    ]
    n_pairs = len(asked.keys() & revealed.keys())
    if n_pairs < MIN_PREDICTIONS and not _is_introduction(path):
        problems.append(Problem(None, f"{n_pairs} predictions; at least {MIN_PREDICTIONS}"))
    return problems


def explorables(notebook: NotebookNode, path: Path) -> list[Problem]:
    """At least two explorables, each below a question in markdown."""
    modules: dict[str, str] = {}
    for _, tree in _trees(notebook):
        list(_imports_of_companion(tree, modules))
    names, problems = set(), []
    for index, tree in _trees(notebook):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            parts = _dotted(node.func).split(".")
            full = ".".join([modules.get(parts[0], ""), *parts[1:]])
            if not full.startswith("companion.explorables."):
                continue
            names.add(full)
            before = notebook.cells[index - 1] if index else None
            if before is None or before.cell_type != "markdown" or "?" not in before.source:
                problems.append(Problem(index, "an explorable without a question above it"))
    if len(names) < MIN_EXPLORABLES and not _is_introduction(path):
        problems.append(Problem(None, f"{len(names)} explorables; at least {MIN_EXPLORABLES}"))
    return problems


def sections(notebook: NotebookNode, path: Path) -> list[Problem]:
    """One title first; bugs to spot, misconceptions, the price, the ledger and the sources."""
    headings = [
        (index, len(match.group(1)), match.group(2))
        for index, cell in _markdown(notebook)
        for match in re.finditer(r"^(#+) (.+)$", _without_code(cell.source), re.MULTILINE)
    ]
    problems = []
    titles = [(index, text) for index, level, text in headings if level == 1]
    if len(titles) != 1 or titles[0][0] != 0:
        problems.append(Problem(None, f"one title, in the first cell; found {len(titles)}"))
    if _is_introduction(path):
        return problems
    texts = [text for _, level, text in headings if level > 1]
    problems += [
        Problem(None, f"no section “{name}”")
        for name in SECTIONS
        if not any(name.lower() in text.lower() for text in texts)
    ]
    n_bugs = sum("spot the bug" in text.lower() for text in texts)
    if n_bugs < MIN_BUGS:
        problems.append(Problem(None, f"{n_bugs} headings “Spot the bug”; at least {MIN_BUGS}"))
    return problems


def ledger_rows(notebook: NotebookNode, path: Path) -> list[Problem]:
    """The chapter adds to the ledger."""
    if _is_introduction(path):
        return []
    for _, tree in _trees(notebook):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _dotted(node.func).endswith("ledger.add"):
                return []
    return [Problem(None, "no row is added to the ledger: `ledger.add({…})`")]


# ---- prose ----------------------------------------------------------------------------------

WORDS = {
    "delve": r"delv(e|es|ed|ing)",
    "crucial": r"crucial(ly)?",
    "powerful": r"powerful(ly)?",
    "leverage": r"leverag(e|es|ed|ing)",
    "seamless": r"seamless(ly)?",
    "robust": r"robust(ly|ness)?",
    "dive in": r"div(e|es|ing) (in|into|deep|deeper)",
    "let's": r"let['’]s",
    "journey": r"journeys?",
    "unlock": r"unlock(s|ed|ing)?",
    "it is worth noting": r"(it is|it['’]s) worth noting",
    "in conclusion": r"in conclusion",
    "as we can see": r"as (we|you) can see",
    "simply": r"simply",
    "obviously": r"obvious(ly)?",
    "just": r"just",
}
EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u26ff\u2705\u2728\u274c\u2753-\u2757\u2b50\ufe0f]"
)
EXCLAMATION = re.compile(r"!(?!\[)")


def plain_words(notebook: NotebookNode, path: Path) -> list[Problem]:
    """None of the words that say nothing; `<!-- allow: robust defined below -->` lets one pass."""
    problems = []
    for index, text, source in _texts(notebook):
        allowed = set(re.findall(r"<!-- allow: (\S+) \S+", source))
        for word, pattern in WORDS.items():
            if word.partition(" ")[0] not in allowed:
                match = re.search(rf"\b{pattern}\b", text, re.IGNORECASE)
                if match:
                    problems.append(Problem(index, f"the word “{match.group(0)}”"))
    return problems


def calm(notebook: NotebookNode, path: Path) -> list[Problem]:
    """No exclamation marks in prose, no emoji anywhere."""
    problems = [
        Problem(index, "an exclamation mark")
        for index, text, _ in _texts(notebook)
        if EXCLAMATION.search(text)
    ]
    for index, cell in enumerate(notebook.cells):
        stored = json.dumps(cell.get("outputs", []), ensure_ascii=False)
        match = EMOJI.search(cell.source) or EMOJI.search(stored)
        if match:
            problems.append(Problem(index, f"an emoji, U+{ord(match.group(0)):04X}"))
    return problems


NUMBER = r"(?<![\w.,-])[-+−]?\d[\d,]*"
NAMED = re.compile(
    r"\b(?:Python|PyTorch|torch|torchvision|NumPy|JupyterLab|nbgrader|[Vv]ersions?|BY|BY-SA|"
    r"[Ss]ections?|[Cc]hapters?|[Ff]igures?|[Tt]ables?|[Ee]quations?)\s+\d[\d.]*"
    r"(?:\s*(?:to|and|-|–)\s*\d[\d.]*)?"
)
RESULTS = (
    re.compile(NUMBER + r"\.\d+"),
    re.compile(NUMBER + r"(?:\.\d+)?\s*(?:%|per\s?cent\b|percentage points?\b)"),
    re.compile(
        NUMBER + r"(?:\.\d+)?\s+(?:bits|bytes|kB|MB|GB|seconds?|ms|s|milliseconds?|labels saved)\b"
    ),
    re.compile(NUMBER + r"(?:\.\d+)?(?:\s?×(?!\s*\d)|-fold\b)"),
)


def no_typed_results(notebook: NotebookNode, path: Path) -> list[Problem]:
    """No number that looks measured stands in prose, where no test would see it become wrong.

    Looked for outside code, mathematics and links: decimals, percentages, factors, and counts of
    bits, bytes or seconds.
    """
    problems = []
    for index, cell in _markdown(notebook):
        if "cites" in _tags(cell):
            if not re.search(r"\]\((references\.md#|https://)", cell.source):
                problems.append(Problem(index, "tagged `cites` and links no source"))
            continue
        for paragraph in re.split(r"\n\s*\n", _without_code(cell.source)):
            if re.search(r"<!-- given: \S+ \S", paragraph):
                continue
            text = NAMED.sub(" ", _prose(paragraph))
            text = re.sub(r"^#+ \d+(\.\d+)*\b", " ", text, flags=re.MULTILINE)
            found = {m.group(0).strip(): None for rule in RESULTS for m in rule.finditer(text)}
            problems += [
                Problem(index, f"a result typed into prose: “{number}”")
                for number in found
                if not any(number != other and number in other for other in found)
            ]
    return problems


def citations(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Every cited key has its entry in references.md; other relative links lead to a file."""
    problems, n_cited = [], 0
    folder = path.parent if (path.parent / "references.md").is_file() else notebooks.COURSE
    keys = reference_keys(folder / "references.md")
    for index, cell in _markdown(notebook):
        for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(cell.source)):
            file, _, key = target.partition("#")
            if Path(file).name == "references.md":
                n_cited += 1
                if key not in keys:
                    problems.append(Problem(index, f"references.md has no entry “{key}”"))
            elif "://" not in target and file and not file.startswith(("attachment:", "mailto:")):
                if not (folder / file).exists() and not (path.parent / file).exists():
                    problems.append(Problem(index, f"the link to {file} leads nowhere"))
    if not n_cited and path.parent.name == "course" and not _is_introduction(path):
        problems.append(Problem(None, "cites nothing: [Name year](references.md#key)"))
    return problems


def reference_keys(path: Path) -> set[str]:
    """The anchors `<a id="key"></a>` of a list of references; empty if there is none."""
    if not path.is_file():
        return set()
    return set(re.findall(r'<a id="([^"]+)"></a>', path.read_text(encoding="utf-8")))


CHAPTER_LINTS: tuple[Lint, ...] = (
    short_cells,
    narrow_lines,
    formatted,
    no_loose_ends,
    no_semicolons,
    imports_first,
    no_setup,
    companion_names,
    shared_definitions,
    reports_assert,
    outputs_stored,
    normalized,
    alt_texts,
    few_skips,
    predictions,
    explorables,
    sections,
    ledger_rows,
    plain_words,
    calm,
    no_typed_results,
    citations,
)
SOLUTION_LINTS: tuple[Lint, ...] = (
    narrow_lines,
    formatted,
    no_semicolons,
    imports_first,
    no_setup,
    companion_names,
    no_outputs,
    normalized,
    alt_texts,
    few_skips,
    plain_words,
    calm,
    citations,
)


def lints_for(path: Path) -> tuple[Lint, ...]:
    """Which rules a file keeps: assignment sources lie two folders deep, in `solutions/`."""
    return SOLUTION_LINTS if "solutions" in path.parts else CHAPTER_LINTS


def lint(path: Path) -> list[Problem]:
    """All problems of one file, in the order of its cells."""
    notebook = nbformat.read(path, as_version=4)
    problems = [problem for check in lints_for(path) for problem in check(notebook, path)]
    return sorted(problems, key=lambda p: (p.cell is None, p.cell or 0, p.message))


def all_notebooks() -> list[Path]:
    """The chapters and the sources of the assignments."""
    found = [*ROOT.glob("course/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")]
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.lint_notebooks")
    parser.add_argument("files", nargs="*", type=Path, help="default: all chapters and sources")
    parser.add_argument("--fix", action="store_true", help="format the code cells first")
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.files] or all_notebooks()
    n_problems = 0
    for path in paths:
        if options.fix:
            fix(path)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        for problem in lint(path):
            n_problems += 1
            print(f"{shown}: {problem}")
    print(f"{n_problems} problems in {len(paths)} notebooks")
    return int(n_problems > 0)


def fix(path: Path) -> None:
    """Formats the code cells of a file and normalizes it; outputs stay."""
    notebook = nbformat.read(path, as_version=4)
    for index, source in format_sources(notebook).items():
        notebook.cells[index].source = source
    notebooks.write(notebooks.normalize(notebook), path)


def format_sources(notebook: NotebookNode) -> dict[int, str]:
    """The source of each code cell as `ruff format` writes it.

    Raises:
        ValueError: a cell is not Python.
    """
    text = _ruff(["format", "--isolated", f"--line-length={MAX_COLUMNS}"], notebook)
    clean = nbformat.reads(text, as_version=4)
    return {index: cell.source for index, cell in _code(clean)}


# ---- reading notebooks ----------------------------------------------------------------------

DEFINITION = (ast.FunctionDef, ast.ClassDef)


def _ruff(arguments: Sequence[str], notebook: NotebookNode) -> str:
    bare = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for _, cell in _code(bare):
        cell.outputs, cell.execution_count = [], None
    bare.metadata = nbformat.from_dict({"kernelspec": notebooks.KERNELSPEC})
    bare.nbformat, bare.nbformat_minor = 4, 5
    seen: set[str] = set()
    for cell in bare.cells:
        cell.id = notebooks._unique_id(cell, seen)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", "notebook.ipynb", "-"],
        input=nbformat.writes(bare),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"ruff cannot read the code: {done.stderr.strip()}")
    return done.stdout


def _code(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")


def _markdown(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "markdown")


def _trees(notebook: NotebookNode) -> Iterator[tuple[int, ast.Module]]:
    """Syntax trees of the code cells; a cell that is not Python is `formatted`'s business."""
    for index, cell in _code(notebook):
        source = re.sub(r"^(\s*!|%).*$", "pass", cell.source, flags=re.MULTILINE)
        try:
            yield index, ast.parse(source)
        except SyntaxError:
            continue


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _is_introduction(path: Path) -> bool:
    return path.stem.startswith("00_")


def _called(node: ast.AST) -> str:
    """The last part of the called name: `ask` for `ask(…)` and for `predictions.ask(…)`."""
    return _dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""


def _dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def _imports_of_companion(tree: ast.Module, modules: dict[str, str]) -> Iterator[str]:
    """Yields each full name imported from companion; fills `modules` with alias → module."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias, name in zip(node.names, _imported(node), strict=True):
            if name.partition(".")[0] != "companion":
                continue
            yield name
            if isinstance(node, ast.Import) and alias.asname is None:
                modules["companion"] = "companion"
            elif _module(name) is not None:
                modules[alias.asname or alias.name] = name


@cache
def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            return None
        raise


def _module_level(name: str) -> str:
    """Cuts `companion.data.load.cache` after the first name that is not a module."""
    parts = name.split(".")
    for n in range(1, len(parts) + 1):
        if _module(".".join(parts[:n])) is None:
            return ".".join(parts[:n])
    return name


def _name_problems(index: int, name: str) -> list[Problem]:
    module_name, _, last = name.rpartition(".")
    if any(part.startswith("_") for part in name.split(".")):
        return [Problem(index, f"{name} is private")]
    target = _module(name)
    if target is None:
        owner = _module(module_name) if module_name else None
        if owner is None or not hasattr(owner, last):
            return [Problem(index, f"{name} does not exist")]
        target = getattr(owner, last)
        if not (inspect.isroutine(target) or inspect.isclass(target)):
            return []
    text = target.__doc__ or ""
    is_generated = inspect.isclass(target) and text.startswith(f"{target.__name__}(")
    if not text.strip() or is_generated:
        return [Problem(index, f"{name} has no docstring")]
    return []


@cache
def _definitions(module_name: str) -> dict[str, str]:
    """Skeletons of the functions and classes of a module and of the modules in it."""
    module = _module(module_name)
    if module is None:
        return {}
    names = [module_name]
    if hasattr(module, "__path__"):
        names += [f"{module_name}.{found.name}" for found in pkgutil.iter_modules(module.__path__)]
    result: dict[str, str] = {}
    for name in names:
        tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        for node in tree.body:
            if isinstance(node, DEFINITION):
                result[node.name] = _skeleton(node)
    return result


def _skeleton(node: ast.AST) -> str:
    """The tree of a definition without its docstrings and annotations."""
    clean = ast.parse(ast.unparse(node))
    for inner in ast.walk(clean):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner):
            inner.body = inner.body[1:] or [ast.Pass()]
        if isinstance(inner, ast.FunctionDef):
            inner.returns = None
        if isinstance(inner, ast.arg):
            inner.annotation = None
    return ast.dump(clean)


def _texts(notebook: NotebookNode) -> Iterator[tuple[int, str, str]]:
    """`(cell, prose, source)` of markdown, and of the alt texts in outputs."""
    for index, cell in _markdown(notebook):
        yield index, _prose(_without_code(cell.source)), cell.source
    for index, cell in _code(notebook):
        for output in cell.get("outputs", []):
            for about in output.get("metadata", {}).values():
                if isinstance(about, dict) and "alt" in about:
                    yield index, about["alt"], ""


def _without_code(source: str) -> str:
    """Markdown without fenced blocks, inline code and mathematics; lines stay where they are."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match.group(0).count("\n") or " "

    source = re.sub(r"^(```|~~~).*?^\1[^\n]*$", blank, source, flags=re.MULTILINE | re.DOTALL)
    source = re.sub(r"\$\$.*?\$\$", blank, source, flags=re.DOTALL)
    source = re.sub(r"`+[^`]*`+", blank, source)
    return re.sub(r"(?<!\\)\$[^$\n]+\$", blank, source)


def _prose(text: str) -> str:
    """Text without comments, tags, link targets and citations."""
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\(references\.md#[^)]*\)", " ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"https?://\S+", " ", text)
    return re.sub(r"</?\w[^>]*>", " ", text)


if __name__ == "__main__":
    raise SystemExit(main())
