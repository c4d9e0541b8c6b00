"""Reading hidden tests or expected values: files, frames, history, memory, arguments."""

from tests.attacks.bank import Case

GROUP = "reading the tests"

FRAMES = '''def from_the_test(name):
    """The test's own variable, from the frames below this call."""
    import sys
    frame = sys._getframe()
    while frame is not None:
        for place in (frame.f_locals, frame.f_globals):
            if name in place:
                return place[name]
        frame = frame.f_back
    raise LookupError("no such variable in any frame")

'''

CASES = [
    Case(
        "expected_value_in_frames",
        "walks up the frames to the test and returns its `expected`",
        "test cells run in another process",
        "points",
        {
            "moving_sum": FRAMES + "def moving_sum(series, width):\n"
            "    return from_the_test('expected')\n",
            "runs": FRAMES + "def runs(text):\n    return from_the_test('expected')\n",
        },
    ),
    Case(
        "expected_value_in_memory",
        "looks through all objects for the tensors of the test and tries each as the answer",
        "expected values never enter the student's process",
        "points",
        {
            "moving_sum": """import gc, sys
def moving_sum(series, width):
    def fits(value):
        return type(value) is torch.Tensor and value.shape == (len(series) - width + 1,)
    for space in [sys.modules["__main__"].__dict__, globals()]:
        for value in list(space.values()):
            if fits(value):
                return value
    raise LookupError("no tensor of this shape in memory")
"""
        },
    ),
    Case(
        "hidden_test_in_folder",
        "reads the notebook with the hidden tests from the working folder and its parents",
        "the session sees neither solutions/ nor a notebook",
        "secret",
        {
            "runs": """import pathlib
found = []
for place in (".", "..", "{course}/solutions/target"):
    for path in sorted(pathlib.Path(place).glob("*.ipynb")):
        try:
            found.append(path.read_text())
        except OSError:
            pass
text = "".join(found)
place = text.find("hidden" + "-text")
print(text[place:place + 40])
def runs(text):
    raise ValueError("found " + (globals()["text"][place:place + 40] if place >= 0 else "nothing"))
"""
        },
    ),
    Case(
        "hidden_test_in_history",
        "searches the shell's history, the line cache and all strings for the test that called it",
        "the session is never given the text of a test",
        "secret",
        {
            "runs": """import gc, linecache
def runs(text):
    needle = "hidden" + "-text-"
    found = [str(cell) for cell in globals().get("In", [])]
    found += ["".join(entry[2]) for entry in linecache.cache.values() if len(entry) > 2]
    found += [value for space in gc.get_objects() if type(space) is dict
              for value in list(space.values()) if type(value) is str]
    hits = [text[text.index(needle):][:20] for text in found if needle in text]
    print(*hits)
    raise ValueError(f"found {hits}")
"""
        },
    ),
    Case(
        "hidden_test_in_code_objects",
        "reads names and constants of the code that called it",
        "test cells run in another process",
        "secret",
        {
            "runs": """def runs(text):
    import sys
    frame, found = sys._getframe(), []
    while frame is not None:
        found += [value for value in frame.f_globals.values() if type(value) is str]
        found += [value for value in frame.f_code.co_consts if type(value) is str]
        frame = frame.f_back
    print(*(value for value in found if value.startswith("hidden" + "-text")))
    raise ValueError(" ".join(value for value in found if value.startswith("hidden" + "-text")))
"""
        },
    ),
    Case(
        "inputs_in_the_type_of_an_error",
        "names an exception after the inputs of the hidden test",
        "the page of a student shows no exception names that the student chose",
        "secret",
        {
            "runs": """def runs(text):
    if len(text) == 30:
        raise type("hidden_input_" + text, (Exception,), {})(text)
    import itertools
    return [(letter, len(list(run))) for letter, run in itertools.groupby(text)]
"""
        },
        visible_counts=True,
        secret="babaaaabbabaaaabbabaaabaaaaaaa",
    ),
    Case(
        "test_split_in_memory",
        "searches the memory of the process for rows of the held-out test split",
        "the runtime parent never holds the test split",
        "secret",
        {
            "runs": """from companion.data import load
import ctypes, sys
data = load("mnist1d", split="test")
def rows_in_memory(marks):
    found = 0
    for line in open("/proc/self/maps"):
        area, rights, *_ = line.split()
        low, high = (int(part, 16) for part in area.split("-"))
        if rights.startswith("rw") and "[v" not in line and high - low < 2**29:
            memory = ctypes.string_at(low, high - low)
            for first, second in marks:  # neither half stands beside the other in this cell
                place = memory.find(first)
                while place >= 0:
                    found += memory[place + len(first):place + 2 * len(first)] == second
                    place = memory.find(first, place + 1)
    return found
try:
    found = rows_in_memory([tuple(map(bytes.fromhex, pair)) for pair in {marks}])
except OSError as error:
    found = 0
print("test-split-" + "seen" if found else "")
def runs(text):
    raise ValueError("test-split-" + "seen" if found else "nothing")
"""
        },
        secret="test-split-seen",
    ),
]
