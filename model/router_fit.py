"""A router that knows its domains before anything is trained: rows fitted in closed form to domain text.

Dimensions: M tokens, D hidden size, E experts, C = E classes of text, one an expert.

The text of every domain comes in as many parts as the domain has experts (English and Chinese, say), so that each
expert has text of its own, and its pair that of the same domain. With h (D) the input of a layer's router (after
``post_attention_layernorm``), the rows W (E, D) solve a weighted ridge regression without an intercept, which a router
has not:

    A = sum over tokens m of  a_m h_m h_m'
    W minimizes  sum of  a_m || y_m - W h_m ||^2  +  ridge * tr(A) / D * || W ||^2
    W = Y' diag(a) H (A + ridge * tr(A) / D * I)^-1

y_m (E) is 1 for the expert of the token's own text, `SIBLING` for the others of its domain, 0 elsewhere; the weights
a_m make every part count the same. So a token's two largest logits are those of its domain, in the order of its part,
and nowhere are two experts equal. Targets differ by one where router logits need a few: the rows are scaled by
`SHARPNESS` (softmax over the pair then gives about 0.8 to 0.2). This is linear discriminant analysis in its
least-squares form (Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, section 4.2).

The first token of a text is left out: its hidden state is an attention sink, the same for every text.
"""

from __future__ import annotations

from typing import Any, Final

from model.errors import BuildFailed

__all__ = ["RIDGE", "SHARPNESS", "SIBLING", "fit_rows"]

SIBLING: Final = 0.75
SHARPNESS: Final = 6.0
RIDGE: Final = 0.01


def fit_rows(hidden: Any, classes: Any, experts: int, per_domain: int, *, ridge: float = RIDGE) -> Any:
    """Return a router's rows, float32, shape (E, D).

    Args:
        hidden: Inputs of the router, floats of shape (M, D).
        classes: Which expert's text each token is of, integers of shape (M).
        experts: E.
        per_domain: Experts of a domain; those of domain d are d * per_domain and those after it.
        ridge: Strength of the penalty, as a share of the mean variance.

    Raises:
        BuildFailed: some expert has no text, or the numbers are not finite.
    """
    import torch

    counts = torch.bincount(classes, minlength=experts)  # (E)
    if counts.numel() != experts or not bool((counts > 0).all()):
        raise BuildFailed(
            f"There is text for {int((counts > 0).sum())} of {experts} experts.",
            remedy="Give every domain a folder, and in it one text folder for each of its experts.",
        )
    states = hidden.double()  # (M, D)
    weight = 1.0 / counts.double()[classes]  # (M)
    domain, own = classes // per_domain, torch.arange(experts)
    targets = torch.where(own[None] // per_domain == domain[:, None], SIBLING, 0.0).double()  # (M, E)
    targets.scatter_(1, classes[:, None], 1.0)
    moments = states.T @ (states * weight[:, None])  # (D, D)
    penalty = ridge * moments.diagonal().mean()
    moments.diagonal().add_(penalty)
    if not bool(moments.isfinite().all()):
        raise BuildFailed("The hidden states are not finite.", remedy="The weights are damaged: fetch them anew.")
    crossed = states.T @ (targets * weight[:, None])  # (D, E)
    rows = torch.cholesky_solve(crossed, torch.linalg.cholesky(moments)).T  # (E, D)
    return (rows * SHARPNESS).float()
