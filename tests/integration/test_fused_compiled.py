"""What evaluation fuses by hand is left to the compiler where there is one. Here, where no hook checks shapes."""

from collections.abc import Callable

import torch
from torch import Tensor

from fittingroom.models.layers.blocks import Mlp
from fittingroom.models.layers.fused import LEAST_ROWS


def test_a_compiler_gets_the_two_modules_and_says_the_same() -> None:
    """It fuses by itself, and better than what it may not open."""
    torch.compiler.reset()
    graphs: list[str] = []

    def compiler(graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph.print_readable(print_output=False))
        return graph.forward

    mlp, x = Mlp(16, 64).eval(), torch.randn(2, LEAST_ROWS, 16)
    with torch.no_grad():
        found = torch.compile(mlp, backend=compiler)(x)
        torch.testing.assert_close(found, mlp(x), rtol=1e-5, atol=1e-6)
    assert len(graphs) == 1 and "gelu" in graphs[0] and "mkldnn" not in graphs[0]
    torch.compiler.reset()
