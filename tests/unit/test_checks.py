"""Every verb accepts what is right and refuses what is wrong, in words that name the reason.

The functions of this module play the student's notebook: the verbs find them by name.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from torch import nn
from torch.nn.functional import conv1d as renamed

from companion import checks
from companion.checks import CheckFailed, Handle, NotAttempted, call, close, forbid, raises, same

X = torch.tensor([[1.0, -2.0], [3.0, 4.0]])


# ---- the notebook ------------------------------------------------------------------------------


def double(x, plus=0):
    return 2 * x + plus


def double_in_place(x):
    x *= 2
    return x


def double_first_in_place(xs, by):
    return xs[0].mul_(by["factor"])


def stub(x):
    raise NotAttempted()


def refuse(x):
    raise ValueError(f"x has shape {tuple(x.shape)}, expected (N,)")


def forgot_return(x):
    x * 2


def two_parts(x, y):
    return x.sum(), x * y


def detached(x):
    return torch.tensor((2 * x).tolist())


def no_grad(x):
    with torch.no_grad():
        return 2 * x


def part_detached(x, y):
    return x * y.detach()


def make_network(n=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(n, 3), nn.BatchNorm1d(3))


class Counter:
    def __init__(self, start):
        self.count = start

    def add(self, n):
        self.count += n
        return self.count

    def __call__(self):
        return self.count


def make_counter(start=0):
    return Counter(start)


def everything():
    return {
        "size": torch.Size([2, 3]), "number": np.float32(1.5), "none": None, "text": "a",
        "pair": (nn.Parameter(X), [1, True]), "array": np.ones(2), "set": {1},
        "object": object(),
    }  # fmt: skip


# ---- failures ----------------------------------------------------------------------------------


def failure(function, *args, **kwargs):
    """The CheckFailed that a verb raises; fails where it raises none, or something else."""
    with pytest.raises(CheckFailed) as caught:
        function(*args, **kwargs)
    return caught.value


def test_a_failure_is_an_assertion_with_category_details_and_hint():
    error = failure(close, 1.0, 2.0, hint="Divide by two.")
    assert isinstance(error, AssertionError)
    assert error.category == "value" and error.hint == "Divide by two."
    assert str(error) == f"{error.details}\nDivide by two."
    assert str(CheckFailed("value", "off")) == "off"


def shown_by_ipython(source):
    shell = InteractiveShell()
    shell.colors = "nocolor"
    with capture_output() as output:
        shell.run_cell(source)
    return output.stdout.strip()


def test_a_stub_shows_one_line_in_a_notebook():
    source = (
        "from companion.checks import NotAttempted, call\n"
        "def conv(x):\n    raise NotAttempted()\n"
        "call('conv', 1)\n"
    )
    assert shown_by_ipython(source) == (
        "NotAttempted: not attempted: this task still holds `raise NotAttempted()`"
    )
    source = "from companion.checks import NotAttempted\nraise NotAttempted('try the hint')"
    assert shown_by_ipython(source) == "NotAttempted: try the hint"


def test_a_failed_check_shows_two_lines_in_a_notebook():
    source = "from companion.checks import close\nclose([1.0, 2.0], [-1.0, -2.0])"
    assert shown_by_ipython(source).splitlines() == [
        "value: result is off in 2 of 2 values; "
        "the largest error is at index (0,): 1 instead of -1.",
        "It is the expected result with the opposite sign.",
    ]
    source = "from companion.checks import same\nsame(1, 2)"
    assert shown_by_ipython(source) == "value: result is 1, expected 2."


def test_not_attempted_is_a_not_implemented_error():
    with pytest.raises(NotImplementedError, match="not attempted"):
        call("stub", X)


# ---- call, state, n_parameters -----------------------------------------------------------------


def test_call_finds_functions_by_name_in_the_cell():
    assert torch.equal(call("double", X, plus=1), 2 * X + 1)
    namespace = {"call": call}
    exec("def mine(x):\n    return x + 1\nfound = call('mine', 4)", namespace)
    assert namespace["found"] == 5


def test_call_says_that_a_name_is_missing():
    error = failure(call, "convolve", X)
    assert error.category == "error"
    assert "the notebook defines no 'convolve'" in str(error) and "did not run" in str(error)


@pytest.mark.parametrize("name", ["double_in_place", "double"])
def test_the_tests_own_tensors_cannot_be_altered(name):
    x, array = X.clone(), np.ones(3)
    assert torch.equal(call(name, x), 2 * X) and torch.equal(x, X)
    call(name, array)
    assert array.tolist() == [1, 1, 1]


def test_tensors_inside_containers_cannot_be_altered():
    xs, by = [X.clone()], {"factor": torch.tensor(3.0)}
    assert torch.equal(call("double_first_in_place", xs, by=by), 3 * X)
    assert torch.equal(xs[0], X)
    assert torch.equal(call("double_first_in_place", (xs[0],), by={"factor": 2}), 2 * X)
    assert torch.equal(xs[0], X)


def test_results_are_plain_data():
    x = X.clone().requires_grad_()
    found = call("double", x)
    assert not found.requires_grad and type(found) is torch.Tensor
    found = call("everything")
    assert found["size"] == (2, 3) and type(found["size"]) is tuple
    assert type(found["pair"][0]) is torch.Tensor and found["pair"][1] == [1, True]
    assert found["number"] == 1.5 and found["none"] is None and found["text"] == "a"
    assert found["array"].tolist() == [1, 1]
    assert found["set"] == {1} and isinstance(found["object"], Handle)


def test_objects_come_back_as_handles_that_verbs_accept():
    counter = call("make_counter", 5)
    assert repr(counter) == "Handle(Counter)"
    assert call(counter, 2, method="add") == 7 and call(counter) == 7
    model = call("make_network")
    assert call(model, X).shape == (2, 3)
    call(model, method="eval")
    assert not model.value.training
    assert torch.equal(call("double", call(model, X)), 2 * call(model, X))
    assert call(double, X).shape == X.shape  # a function works as well as its name


def test_state_is_a_copy_of_parameters_and_buffers():
    model = call("make_network")
    before = checks.state(model)
    assert {"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean"} <= set(before)
    assert before["0.weight"].shape == (3, 2) and not before["0.weight"].requires_grad
    kept = before["1.running_mean"].clone()
    call(model, X)
    assert torch.equal(before["1.running_mean"], kept)
    assert not torch.equal(checks.state(model)["1.running_mean"], kept)
    before["0.weight"].zero_()
    assert checks.state(model)["0.weight"].any()


def test_n_parameters_counts_what_an_optimizer_gets():
    model = call("make_network", 4)
    assert checks.n_parameters(model) == 4 * 3 + 3 + 6
    model.value[0].bias.requires_grad_(False)
    assert checks.n_parameters(model) == 4 * 3 + 6


@pytest.mark.parametrize("verb", [checks.state, checks.n_parameters])
def test_verbs_about_modules_refuse_other_things(verb):
    error = failure(verb, call("make_counter"))
    assert error.category == "type" and "expected a module, got a Counter" in str(error)


# ---- vjp ---------------------------------------------------------------------------------------


def test_vjp_is_the_product_of_cotangent_and_jacobian():
    (gradient,) = checks.vjp("double", [X], torch.ones(2, 2))
    assert torch.equal(gradient, torch.full((2, 2), 2.0))
    x, y, c = torch.randn(3), torch.randn(3), torch.randn(3)
    gx, gy = checks.vjp("two_parts", [x, y], (None, c))
    assert torch.allclose(gx, y * c) and torch.allclose(gy, x * c)
    gx, gy = checks.vjp("two_parts", [x, y], (torch.tensor(3.0), None))
    assert torch.equal(gx, torch.full((3,), 3.0)) and not gy.any()
    gx, gy = checks.vjp("two_parts", [x, y], (torch.tensor(3.0), c))
    assert torch.allclose(gx, 3 + y * c) and torch.allclose(gy, x * c)


def test_vjp_skips_what_has_no_gradient():
    gradients = checks.vjp("double", [X, torch.tensor(3)], torch.ones(2, 2))
    assert gradients[1] is None and gradients[0].eq(2).all()
    assert torch.equal(checks.vjp("double", [X], torch.ones(2, 2), plus=X)[0], gradients[0])


def test_vjp_leaves_inputs_alone_and_allows_work_in_place():
    x = X.clone()
    (gradient,) = checks.vjp("double_in_place", [x], torch.ones(2, 2))
    assert torch.equal(x, X) and x.grad is None and gradient.eq(2).all()


def test_vjp_of_a_module_gives_parameter_gradients_by_name():
    model = call("make_network")
    c = torch.randn(2, 3)
    (gx,), by_name = checks.vjp(model, [X], c, parameters=True)
    twin, x = make_network(), X.clone().requires_grad_()
    (twin(x) * c).sum().backward()
    assert torch.allclose(gx, x.grad)
    assert list(by_name) == [name for name, _ in twin.named_parameters()]
    for name, parameter in twin.named_parameters():
        assert torch.allclose(by_name[name], parameter.grad)
    assert all(p.grad is None for p in model.value.parameters())


def test_vjp_of_a_float32_result_takes_a_float64_cotangent():
    (gradient,) = checks.vjp("double", [X], torch.ones(2, 2, dtype=torch.float64))
    assert gradient.dtype == torch.float32


@pytest.mark.parametrize("name", ["detached", "no_grad", "forgot_return"])
def test_vjp_names_the_usual_ways_out_of_the_graph(name):
    error = failure(checks.vjp, name, [X], torch.ones(2, 2))
    assert error.category == "gradient" and f"{name} gave a result that no gradient" in str(error)
    assert ".detach()" in error.hint and "NumPy" in error.hint
    assert name in str(failure(checks.vjp, globals()[name], [X], torch.ones(2, 2)))


def test_a_gradient_that_is_cut_for_one_input_is_zero():
    _, gy = checks.vjp("part_detached", [X, X], torch.ones(2, 2))
    assert not gy.any()


def test_vjp_refuses_other_shapes_and_numbers_of_parts():
    error = failure(checks.vjp, "double", [X], torch.ones(3, 2))
    assert error.category == "shape" and "gave shape (2, 2), expected (3, 2)" in str(error)
    error = failure(checks.vjp, "double", [X], (torch.ones(2, 2), torch.ones(2, 2)))
    assert error.category == "type" and "gave 1 parts, expected 2" in str(error)
    error = failure(checks.vjp, "two_parts", [X, X], torch.tensor(1.0))
    assert "gave 2 parts, expected 1" in str(error)


# ---- operations --------------------------------------------------------------------------------


def loop_sum(x):
    total = x[0]
    for i in range(1, len(x)):
        total = total + x[i]
    return total


def plain_sum(x):
    return x.sum()


def test_operations_grow_with_a_loop_and_not_without():
    short, long = torch.randn(5), torch.randn(50)
    assert checks.operations("loop_sum", long) > 5 * checks.operations("loop_sum", short)
    assert checks.operations("plain_sum", long) == checks.operations("plain_sum", short)
    assert checks.operations("plain_sum", short) == 1


# ---- close -------------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1.0, 1),
        (torch.tensor(2.0), 2),
        (X, X.double()),
        (X + 5e-6, X),
        (X.numpy(), X),
        (X.tolist(), X),
        (X.clone().requires_grad_(), X),
        ([1.0, 2.0], (1.0, 2.0)),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        ((X, 3.0), [X, 3.0]),
        ({"a": X, "b": [1.0]}, {"b": [1.0], "a": X}),
        (torch.tensor([NAN, INF, -INF, 1.0]), torch.tensor([NAN, INF, -INF, 1.0])),
        (torch.ones(0, 3), torch.ones(0, 3)),
        (torch.tensor([True]), [1]),
        (1e8 + 1, 1e8),  # relative for large numbers
        (1e-9, 0.0),  # absolute for small ones
    ],
)
def test_close_accepts(actual, expected):
    close(actual, expected)


def test_tolerance_is_relative_above_one_and_absolute_below():
    close(0.05, 0.0, tolerance=0.1)
    close(105.0, 100.0, tolerance=0.1)
    failure(close, 0.15, 0.0, tolerance=0.1)
    failure(close, 115.0, 100.0, tolerance=0.1)
    failure(close, 1 + 2e-5, 1.0)


@pytest.mark.parametrize(
    ("category", "says", "actual", "expected"),
    [
        ("value", "off in 1 of 4 values.*index \\(1, 0\\): 7 instead of 3", [[1, -2], [7, 4]], X),
        ("value", "the largest error is: 1 instead of 2", 1.0, 2.0),
        ("value", "holds 1 values that are not finite.*division", [NAN, 1.0], [1.0, 1.0]),
        ("value", "holds 1 values that are not finite", [1.0, INF], torch.ones(2)),
        ("value", "nan or inf", [1.0, 1.0], [INF, 1.0]),
        ("value", "nan or inf", [1.0, 1.0], [NAN, 1.0]),
        ("value", "nan or inf", -INF, INF),
        ("value", "nan or inf", NAN, INF),
        ("shape", r"has shape \(2,\), expected \(2, 2\).*dimension is missing", [1.0, 2.0], X),
        ("shape", r"has shape \(2, 3\), expected \(3, 2\).*transposed", torch.ones(2, 3),
         torch.ones(3, 2)),
        ("shape", "arrangement", torch.ones(2, 6), torch.ones(3, 4)),
        ("shape", r"has shape \(5,\), expected \(4,\)", torch.ones(5), torch.ones(4)),
        ("type", "nothing .None., expected numbers.*return", None, X),
        ("type", "a Handle, expected numbers", Handle(3), X),
        ("type", "a str, expected numbers", "1.0", 1.0),
        ("type", "a list, expected numbers", [[1.0], [1.0, 2.0]], X),
        ("type", "a Tensor, expected numbers", torch.tensor([1 + 5j]), [1.0]),
        ("type", "is Tensor, expected 2 parts", X, (X, X)),
        ("type", "is 1 parts, expected 2 parts", (X,), (X, X)),
        ("type", r"holds \['a'\], expected keys \['a', 'b'\]", {"a": 1.0}, {"a": 1.0, "b": 2.0}),
        ("type", "holds Tensor, expected keys", X, {"a": X}),
        ("value", r"result\['a'\]\[1\] is off", {"a": (X, X + 1)}, {"a": (X, X)}),
    ],
)  # fmt: skip
def test_close_refuses(category, says, actual, expected):
    error = failure(close, actual, expected)
    assert error.category == category
    with pytest.raises(AssertionError, match=f"(?s){says}"):
        raise error


RAMP = torch.linspace(0.3, 2.0, 9).view(3, 3)


@pytest.mark.parametrize(
    ("says", "wrong"),
    [
        ("opposite sign", -RAMP),
        ("times 2: a constant factor", 2 * RAMP),
        ("times 0.125: a constant factor", RAMP / 8),
        ("same amount everywhere", RAMP + 0.7),
        ("last two axes swapped", RAMP.T),
        ("reversed order", RAMP.flip(-1)),
    ],
)
def test_close_names_the_misconception_from_the_symptom(says, wrong):
    assert says in failure(close, wrong, RAMP).hint
    assert failure(close, wrong, RAMP, hint="Mine.").hint == "Mine."


@pytest.mark.parametrize(
    "wrong",
    [
        RAMP + torch.tensor([0.0, 0.0, 1.0]),
        RAMP * (1 + 5e-5),  # a near miss is not a wrong factor
        RAMP + 5e-5,
        torch.zeros(3, 3),
    ],
)
def test_close_does_not_guess(wrong):
    assert failure(close, wrong, RAMP).hint == ""


def test_close_says_what_it_compared():
    assert "loss is off" in str(failure(close, 1.0, 2.0, what="loss"))


# ---- same --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (3, 3),
        (torch.tensor(3), 3),
        (np.int64(3), 3),
        ("a", "a"),
        (None, None),
        (X, X.clone()),
        ([1, "a"], (1, "a")),
        (((2, 3), X), [(2, 3), X]),
        (np.ones(2), np.ones(2)),
        ({"a": X, "b": 1}, {"a": X, "b": 1}),
    ],
)
def test_same_accepts(actual, expected):
    same(actual, expected)


@pytest.mark.parametrize(
    ("category", "says", "actual", "expected"),
    [
        ("value", "is 2, expected 3", 2, 3),
        ("value", "is 'a', expected 'b'", "a", "b"),
        ("value", "differs in 1 of 4 values", X.clamp(max=3), X),
        ("shape", r"has shape \(4,\), expected \(2, 2\)", X.flatten(), X),
        ("dtype", "has dtype torch.float64, expected torch.float32", X.double(), X),
        ("type", "is a list, expected a tensor", X.tolist(), X),
        ("type", "is 1 parts, expected 2 parts", [1], [1, 2]),
        ("type", "is int, expected 2 parts", 1, [1, 2]),
        ("value", r"result\[1\] is 3, expected 2", [1, 3], [1, 2]),
        ("value", "expected 3", X, 3),
        ("value", "expected 3", Handle(3), 3),
        ("value", "differs in 1 of 2", np.array([1.0, 2.0]), np.ones(2)),
        ("dtype", "float32", np.ones(2, dtype=np.float32), np.ones(2)),
        ("type", "", Handle(3), np.ones(2)),
        ("type", "expected keys", {"a": 1}, {"b": 1}),
        ("value", r"result\['a'\] is 1", {"a": 1}, {"a": 2}),
    ],
)
def test_same_refuses(category, says, actual, expected):
    error = failure(same, actual, expected, hint="Look again.")
    assert error.category == category and error.hint == "Look again."
    with pytest.raises(AssertionError, match=says):
        raise error


def test_long_values_are_cut():
    message = str(failure(same, "x" * 500, "y"))
    assert "xxx..., expected 'y'" in message and len(message) < 120


# ---- raises ------------------------------------------------------------------------------------


class ShapeError(ValueError):
    pass


def refuse_specially(x):
    raise ShapeError("wrong shape")


def wrong_error(x):
    raise KeyError("x")


def test_raises_accepts_the_error_by_class_name_or_parent():
    raises(ValueError, "refuse", X)
    raises("ValueError", "refuse", X, match=r"expected \(N,\)")
    raises(ValueError, "refuse_specially", X)
    raises("ShapeError", "refuse_specially", X)


def test_raises_refuses_silence_other_errors_and_vague_messages():
    error = failure(raises, ValueError, "double", X, hint="Check the shape first.")
    assert error.category == "error" and error.hint == "Check the shape first."
    assert "double accepted this; expected a ValueError" in str(error)
    error = failure(raises, ValueError, "wrong_error", X)
    assert "wrong_error raised KeyError, expected ValueError" in str(error)
    error = failure(raises, ValueError, "refuse", X, match="dtype")
    assert "does not say what it should" in str(error) and "shape (2, 2)" in error.details
    assert failure(raises, ValueError, "refuse", X, match="dtype", hint="H").hint == "H"


def test_raises_lets_the_outcomes_of_checks_through():
    with pytest.raises(NotAttempted):
        raises(NotImplementedError, "stub", X)
    assert "defines no 'convolve'" in str(failure(raises, ValueError, "convolve", X))


# ---- forbid ------------------------------------------------------------------------------------

SERIES, KERNEL = torch.randn(1, 2, 8), torch.randn(3, 2, 3)


def functional(x, w):
    return F.conv1d(x, w)


def aliased(x, w):
    return renamed(x, w)


def as_layer(x, w):
    layer = nn.Conv1d(2, 3, 3, bias=False)
    layer.weight.data = w
    return layer(x)


def as_image(x, w):
    return F.conv2d(x[:, :, None], w[:, :, None])[:, :, 0]


def transposed(x, w):
    return F.conv_transpose1d(x, w.transpose(0, 1))


def by_torch_namespace(x, w):
    return torch.conv1d(x, w)


def in_inference_mode(x, w):
    with torch.inference_mode():
        return F.conv1d(x, w)


def in_no_grad(x, w):
    with torch.no_grad():
        return F.conv1d(x, w)


def by_hand(x, w):
    return torch.einsum("nclk,ock->nol", x.unfold(2, 3, 1), w)


@pytest.mark.parametrize(
    "name",
    "functional aliased as_layer as_image transposed by_torch_namespace in_inference_mode "
    "in_no_grad".split(),
)
def test_forbid_catches_every_alias_of_convolution(name):
    with forbid("convolution", hint="Use unfold."):
        error = failure(call, name, SERIES, KERNEL)
    assert error.category == "forbidden" and "'convolution' ran" in str(error)
    assert error.hint == "Use unfold."
    call(name, SERIES, KERNEL)  # outside the block all is as it was


def test_forbid_lets_the_right_way_through():
    with forbid("convolution"):
        found = call("by_hand", SERIES, KERNEL)
        close(found, by_hand(SERIES, KERNEL))
        same(found, by_hand(SERIES, KERNEL))
        checks.vjp("by_hand", [SERIES, KERNEL], torch.ones(1, 3, 6))
    close(found, F.conv1d(SERIES, KERNEL))


def pool(x):
    return F.max_pool1d(x, 2)


def pool_in_place(x):
    return x.relu_()


def test_forbid_takes_several_operators_and_their_in_place_forms():
    for names in (["max_pool2d_with_indices", "relu"], ["relu", "max_pool2d_with_indices"]):
        with forbid(*names):
            assert "max_pool2d" in str(failure(call, "pool", SERIES))
            assert "relu_" in str(failure(call, "pool_in_place", SERIES))
    with forbid("sigmoid"):
        call("pool", SERIES)


def test_forbid_holds_while_a_gradient_is_taken():
    with forbid("convolution"):
        assert failure(
            checks.vjp, "functional", [SERIES, KERNEL], torch.ones(1, 3, 6)
        ).category == ("forbidden")


def through_array(x, w):
    return torch.from_numpy(np.asarray(x)).clone()


def through_numpy(x, w):
    return torch.from_numpy(x.detach().numpy() * 2)


def through_dlpack(x, w):
    return torch.from_numpy(np.from_dlpack(x).copy())


def through_list(x, w):
    return torch.tensor(x.tolist())


def through_storage(x, w):
    return torch.tensor(list(x.untyped_storage()))


@pytest.mark.parametrize(
    "name", "through_array through_numpy through_dlpack through_list through_storage".split()
)
def test_forbid_closes_the_bridge_to_numpy(name):
    with forbid("convolution", hint="Stay in torch."):
        error = failure(call, name, SERIES, KERNEL)
    assert error.category == "forbidden" and "handed to NumPy" in str(error)
    assert error.hint == "Stay in torch."
    call(name, SERIES, KERNEL)


def test_forbid_ends_with_its_block_even_after_a_failure():
    with pytest.raises(CheckFailed), forbid("convolution"):
        call("functional", SERIES, KERNEL)
    F.conv1d(SERIES, KERNEL).numpy()


def test_forbid_watches_its_own_thread_only():
    """Stated in its docstring; graders that must be sure run the student's code elsewhere."""
    found = []
    with forbid("convolution"):
        thread = threading.Thread(target=lambda: found.append(F.conv1d(SERIES, KERNEL)))
        thread.start()
        thread.join()
    assert len(found) == 1 and "second thread is not watched" in " ".join(forbid.__doc__.split())


# ---- partial -----------------------------------------------------------------------------------


def test_partial_prints_its_reason_and_is_the_points(capsys):
    points = checks.partial(1, "values right, gradient missing")
    assert points == 1.0 and isinstance(points, float)
    assert capsys.readouterr().out == "partial credit: values right, gradient missing\n"
    assert checks.partial(0, "nothing") == 0


@pytest.mark.parametrize("points", [-1, NAN, INF, "3"])
def test_partial_refuses_what_is_no_number_of_points(points):
    with pytest.raises(ValueError, match="finite number of points >= 0, got"):
        checks.partial(points, "reason")
