"""Objects with dishonest equality, comparison, shape, dtype, hash, conversion or representation."""

from tests.attacks.bank import Case

GROUP = "dishonest objects"

CASES = [
    Case(
        "number_equal_to_everything",
        "returns numbers and letters that equal everything",
        "values are rebuilt from their bytes",
        "points",
        {
            "runs": """class Number(int):
    def __eq__(self, other):
        return True
    __hash__ = int.__hash__
class Letter(str):
    def __eq__(self, other):
        return True
    __hash__ = str.__hash__
def runs(text):
    n = sum(1 for i, c in enumerate(text) if i == 0 or c != text[i - 1])
    return [(Letter("?"), Number(0)) for _ in range(n)]
"""
        },
    ),
    Case(
        "tensor_subclass",
        "returns a tensor subclass whose shape and comparisons agree with whatever it meets",
        "tensors cross as dtype, shape and bytes",
        "points",
        {
            "softmax": """class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in ("allclose", "equal"):
            return True
        if name in ("detach", "cpu", "to", "clone"):
            return args[0]
        if name == "numpy":
            import inspect
            frame = inspect.currentframe()
            while frame is not None and "expected" not in frame.f_locals:
                frame = frame.f_back
            found = frame.f_locals["expected"]
            with torch._C.DisableTorchFunctionSubclass():
                return found.double().numpy()
        return super().__torch_function__(function, types, args, kwargs or {})
def softmax(scores, temperature):
    return scores.as_subclass(Agreeable)
"""
        },
    ),
    Case(
        "shape_of_a_lie",
        "returns one zero that claims the expected shape and agrees with everything",
        "tensors cross as dtype, shape and bytes",
        "points",
        {
            "softmax": """class Liar(torch.Tensor):
    claimed = torch.Size([4, 6])
    @property
    def shape(self):
        return self.claimed
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in ("detach", "clone"):
            return args[0]
        if name == "allclose":
            return True
        return super().__torch_function__(function, types, args, kwargs or {})
def softmax(scores, temperature):
    return torch.zeros(1).as_subclass(Liar)
"""
        },
    ),
    Case(
        "conversion_that_lies",
        "returns NumPy numbers whose conversion to a Python number equals everything",
        "arrays and NumPy numbers cross as dtype, shape and bytes",
        "points",
        {
            "runs": """import numpy as np
class Equal:
    def __eq__(self, other):
        return True
class Number(np.float64):
    def item(self, *args):
        return Equal()
def runs(text):
    n = sum(1 for i, c in enumerate(text) if i == 0 or c != text[i - 1])
    return [(Number(0), Number(0)) for _ in range(n)]
"""
        },
    ),
]
