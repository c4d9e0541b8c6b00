"""course/references.md: the form of every entry, how far each was checked, and who cites what."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from tools import lint_notebooks as lints
from tools import notebooks

REFERENCES = notebooks.COURSE / "references.md"
ENTRY = re.compile(
    r'- <a id="(?P<key>[^"]*)"></a>(?P<label>[^.]*\d{4}[a-z]?)\. (?P<body>.*) \*(?P<mark>[^*]+)\*'
)
MARKS = ("read", "quoted", "from memory, unverified")
DOI = re.compile(r"10\.\d{4,9}/[^\s,;]*[^\s,;.]")
ARXIV = re.compile(r"\d{4}\.\d{4,5}")
LATEST_DELAY = 6  # years between a paper's appearance on arXiv and its printed version

# Two titles of the text that this course grew from.  We could not find these papers.
NOT_FOUND = (
    "L1: Scalable Learning of Structured Sparsity via Proximal Newton Methods",
    "Practical Algorithms for Training GANs: Bridging the Theory Gap",
)

TECHNIQUES = {
    "neuron": "mcculloch1943 rosenblatt1958",
    "least squares": "legendre1805 widrow1960",
    "cross-entropy": "shannon1948 kullback1951 solla1988",
    "softmax": "bridle1990",
    "reverse-mode differentiation": "linnainmaa1970 werbos1974 rumelhart1986",
    "gradient descent": "cauchy1847 robbins1951 amari1967",
    "momentum and Adam": "polyak1964 kingma2015",
    "initialization": "glorot2010 he2015",
    "sigmoid": "verhulst1845",
    "ReLU": "fukushima1969 nair2010 glorot2011",
    "convolution": "hubel1962 fukushima1980 lecun1989 lecun1998",
    "pooling": "fukushima1980 yamaguchi1990 weng1992 riesenhuber1999",
    "recurrence": "elman1990 hochreiter1997 cho2014",
    "residual connection": "srivastava2015 he2016",
    "batch normalization": "ioffe2015 santurkar2018",
    "AlexNet": "krizhevsky2012",
    "dropout": "hanson1990 hinton2012 srivastava2014",
    "L2": "tikhonov1963 hoerl1970 krogh1991",
    "decoupled decay": "loshchilov2019",
    "L1": "santosa1986 tibshirani1996",
    "choosing the coefficient": "stone1974 golub1979 mackay1992 bergstra2012",
    "autoencoder": "rumelhart1986 bourlard1988 baldi1989 hinton2006",
    "denoising": "vincent2008 vincent2010",
    "predicting what is missing": "taylor1953 rubin1976 pathak2016 devlin2019 he2022",
    "anomalies": "japkowicz1995 hawkins2002 liu2008 ruff2018",
    "transfer": "bozinovski1976 pratt1993 yosinski2014",
    "contrastive learning": "chen2020",
    "pruning": "mozer1988 lecun1990 hassibi1993 han2015 frankle2019",
    "quantization": "lloyd1982 max1960 nowlan1992 bengio2013 jacob2018",
    "low rank": "eckart1936 xue2013 denil2013",
    "entropy coding": "huffman1952 rissanen1976 duda2013 han2016",
    "distillation": "bucilua2006 hinton2015",
    "t-SNE and UMAP": "hinton2002 vandermaaten2008 mcinnes2018",
    "permutation importance": "breiman2001 fisher2019",
    "saliency": "morch1995 simonyan2013 selvaraju2017 bach2015",
    "integrated gradients and Shapley values": "sundararajan2017 shapley1953 lundberg2017",
    "LIME": "ribeiro2016",
    "tests of explanations": "adebayo2018 hooker2019 petsiuk2018",
    "trees": "breiman1984 craven1996 frosst2017",
    "precision, recall, ROC": "kent1955 vanrijsbergen1979 peterson1954",
    "TensorBoard": "abadi2016",
    "universal induction": "solomonoff1960 solomonoff1964 kolmogorov1965 chaitin1966",
    "description length": "wallace1968 rissanen1978 hinton1993 blier2018",
    "prequential code": "dawid1984 blier2018 bornschein2023",
}


def slug(label: str) -> str:
    """The first surname in lower-case ASCII, with the year: `vandermaaten2008`."""
    surname, year = re.fullmatch(r"(.*?)(?: &.*| et al\.?)? (\d{4}[a-z]?)", label).groups()
    plain = unicodedata.normalize("NFKD", surname.replace("ø", "o")).encode("ascii", "ignore")
    return re.sub(r"[^a-z]", "", plain.decode().lower()) + year


def words(text: str) -> str:
    """Lower-case letters and digits alone, so that a title is found however it is set."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def problems_of_entry(line: str) -> list[str]:
    """What is wrong with one line of the list."""
    # "et al." holds the only full stop that a label may have
    match = ENTRY.fullmatch(line.replace(" et al. ", " et al ", 1))
    if match is None:
        return ['is not `- <a id="key"></a>Name year. Authors, "Title", where. *Mark.*`']
    key, label, body, mark = match.group("key", "label", "body", "mark")
    problems = []
    if key.rstrip("abc") != slug(label).rstrip("abc"):
        problems.append(f"the key of {label} should be {slug(label)}, not {key}")
    if not re.search(r'"[^"]{4,}"', body):
        problems.append("has no title in straight quotes")
    if not mark.endswith(".") or not any(known in mark.lower() for known in MARKS):
        problems.append(f"the mark {mark!r} does not say one of {', '.join(MARKS)}")
    if "memory" in mark and "from memory, unverified" not in mark.lower():
        problems.append(f"the mark {mark!r} should say “from memory, unverified”")
    for kind, value in re.findall(r"\b(doi|arXiv)\b:?\s*(\S*?)\.?(?=\s|$)", body):
        form = DOI if kind == "doi" else ARXIV
        if not form.fullmatch(value):
            problems.append(f"{kind}:{value} has not the form of one")
        elif kind == "arXiv":
            year, first = int(re.search(r"\d{4}", label)[0]), 2000 + int(value[:2])
            if not first <= year <= first + LATEST_DELAY or not 1 <= int(value[2:4]) <= 12:
                problems.append(f"arXiv:{value} is of {first}, and the entry of {year}")
    problems += [
        "is one of the papers that we could not find"
        for title in NOT_FOUND
        if words(title) in words(body)
    ]
    return problems


def problems_of(text: str) -> list[str]:
    """What is wrong with a list of references: each entry, and entries that stand there twice."""
    marked = [line for line in text.splitlines() if line.startswith("-") or "<a id" in line]
    definitions = [line for line in marked if line.startswith("- **")]
    lines = [line for line in marked if line not in definitions]
    problems = [f"{line[:50]}: {p}" for line in lines for p in problems_of_entry(line)]
    for name in MARKS:
        if not any(line.startswith(f"- **{name}**") for line in definitions):
            problems.append(f"the mark “{name}” is not explained")
    singles = {
        "key": re.findall(r'<a id="([^"]*)"', text),
        "label": re.findall(r'</a>(.*?\d{4}[a-z]?)\. ', text),
        "title": [words(title) for title in re.findall(r'"([^"]{4,})"', "\n".join(lines))],
        "identifier": re.findall(r"\b(?:doi|arXiv):\S+", text),
    }  # fmt: skip
    for kind, values in singles.items():
        problems += [
            f"the {kind} {v!r} stands there {n} times" for v, n in Counter(values).items() if n > 1
        ]
    return problems


def citation_problems(text: str, references: str) -> list[str]:
    """Citations in one text that have no entry, another name, or a title we could not find."""
    found = re.findall(r'<a id="([^"]*)"></a>(.*?\d{4}[a-z]?)\. ', references)
    labels = dict(found)
    problems = []
    for shown, key in re.findall(r"\[([^\]]*)\]\([^)\s]*references\.md#([^)]*)\)", text):
        if key not in labels:
            problems.append(f"no entry {key!r}")
        elif re.search(r"\b\d{4}\b", shown) and labels[key].rstrip("abc") != shown:
            problems.append(f"{shown!r} is cited, and the entry is called {labels[key]!r}")
    for paragraph in re.split(r"\n\s*\n|\n(?=\||- )", text):
        for title in NOT_FOUND:
            if words(title) in words(paragraph) and "could not find" not in words(paragraph):
                problems.append(f"names {title!r} without saying that we could not find it")
    return problems


def prose(path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_the_list_is_in_form() -> None:
    assert problems_of(REFERENCES.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", lints.all_notebooks(), ids=lambda path: path.stem)
def test_what_a_chapter_cites_is_in_the_list(path: Path) -> None:
    assert citation_problems(prose(path), REFERENCES.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_every_technique_has_an_origin(technique: str) -> None:
    wanted = TECHNIQUES[technique].split()
    assert set(wanted) <= lints.reference_keys(REFERENCES)


GOOD = (
    '- <a id="elman1990"></a>Elman 1990. J. L. Elman, "Finding structure in time", '
    "Cognitive Science 14(2), 179-211. doi:10.1207/s15516709cog1402_1. *Read.*"
)
ARXIV_ENTRY = (
    '- <a id="kingma2015"></a>Kingma & Ba 2015. D. P. Kingma, J. Ba, "Adam: a method for '
    'stochastic optimization", ICLR 2015. arXiv:1412.6980. *Quoted.*'
)
EXPLAINED = "".join(f"- **{name}**: how far we went\n" for name in MARKS)


def test_good_entries_are_accepted() -> None:
    assert problems_of_entry(GOOD) == problems_of_entry(ARXIV_ENTRY) == []
    assert problems_of(f"{EXPLAINED}\n{GOOD}\n{ARXIV_ENTRY}\n") == []
    several = '- <a id="morch1995"></a>Mørch et al. 1995. N. Mørch and others, "Maps", X. *Read.*'
    assert problems_of_entry(several) == []
    assert slug("van der Maaten & Hinton 2008") == "vandermaaten2008"
    assert slug("Buciluă et al. 2006") == "bucilua2006"
    part = GOOD.replace("*Read.*", "*Read; the DOI is from memory, unverified.*")
    assert problems_of_entry(part) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('<a id="elman1990"></a>', "", "is not `-"),
        ("Elman 1990.", "Elman.", "is not `-"),
        (" *Read.*", "", "is not `-"),
        ("elman1990", "elman1991", "should be elman1990"),
        ("elman1990", "Elman1990", "should be elman1990"),
        ('"Finding structure in time"', "Finding structure in time", "no title"),
        ("*Read.*", "*Seen.*", "does not say one of"),
        ("*Read.*", "*Read*", "does not say one of"),
        ("*Read.*", "*Read; pages from memory.*", "should say"),
        ("doi:10.1207/s15516709cog1402_1", "doi:s15516709cog1402_1", "not the form"),
        ("doi:10.1207/s15516709cog1402_1", "arXiv:cs/9001", "not the form"),
        ("doi:10.1207/s15516709cog1402_1", "arXiv:1402.1234", "is of 2014"),
        ("Finding structure in time", NOT_FOUND[0], "could not find"),
        ("Finding structure in time", NOT_FOUND[1].lower().replace(":", " -"), "could not find"),
    ],
)
def test_bad_entries_are_rejected(old: str, new: str, says: str) -> None:
    assert old in GOOD
    assert any(says in problem for problem in problems_of_entry(GOOD.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{EXPLAINED}{GOOD}\n{GOOD}\n", "the key 'elman1990' stands there 2 times"),
        (f"{EXPLAINED}{GOOD}\n{GOOD.replace('1990', '1991')}\n", "the title"),
        (f"{EXPLAINED}{GOOD}\n{ARXIV_ENTRY}\n{ARXIV_ENTRY.replace('Adam', 'Eve')}", "identifier"),
        (GOOD, "the mark “quoted” is not explained"),
        (EXPLAINED + GOOD.replace("- <a", "<a"), "is not `-"),
    ],
)
def test_bad_lists_are_rejected(text: str, says: str) -> None:
    assert any(says in problem for problem in problems_of(text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[Elman 1991](references.md#elman1991)", "no entry 'elman1991'"),
        ("[Jordan 1986](references.md#elman1990)", "the entry is called 'Elman 1990'"),
        ("[Elman 1991](references.md#elman1990)", "the entry is called 'Elman 1990'"),
        (f"Sparse methods ({NOT_FOUND[0]}) are fast.", "could not find it"),
        (f"We could not find it.\n\nBut see {NOT_FOUND[1].upper()}.", "could not find it"),
    ],
)
def test_bad_citations_are_rejected(text: str, says: str) -> None:
    assert any(says in problem for problem in citation_problems(text, GOOD))


def test_good_citations_are_accepted() -> None:
    text = (
        "[Elman 1990](references.md#elman1990), [that paper](references.md#elman1990).\n\n"
        f"*{NOT_FOUND[0]}*: we could not find this paper."
    )
    assert citation_problems(text, GOOD) == []
