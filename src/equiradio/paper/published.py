"""Table 1 of Bowles et al. 2021 as printed, one run a row: 153 test sources, 100 augmented passes each, pooled."""

from equiradio.paper.contents import Printed

_ROWS = {  # accuracy in per cent, AUC, then F1, precision and recall of FRI and FRII
    "lenet": (82.9, 0.905, 0.821, 0.836, 0.832, 0.827, 0.811, 0.846),
    "attention": (83.8, 0.909, 0.819, 0.854, 0.894, 0.800, 0.755, 0.916),
    "c4-attention": (83.0, 0.921, 0.833, 0.826, 0.792, 0.873, 0.879, 0.784),
    "c8-attention": (82.6, 0.871, 0.823, 0.829, 0.811, 0.841, 0.834, 0.818),
    "c16-attention": (82.8, 0.880, 0.812, 0.842, 0.862, 0.803, 0.768, 0.885),
    "d4-attention": (84.1, 0.889, 0.828, 0.853, 0.870, 0.819, 0.790, 0.889),
    "d8-attention": (84.8, 0.911, 0.829, 0.864, 0.911, 0.806, 0.761, 0.931),
    "d16-attention": (81.8, 0.923, 0.813, 0.823, 0.808, 0.827, 0.818, 0.818),
}
MODELS = tuple(_ROWS)
PLAIN = "attention"  # the model with attention and free filters, against which the paper holds the equivariant ones
BASES = ("lenet", PLAIN)  # models without a group
SYMMETRIC = "d8-attention"  # the one that Figure 3 shows beside the plain one
HOURS = {  # on one A100, as its authors say
    "lenet": 4, "attention": 14, "c4-attention": 19, "c8-attention": 20,
    "c16-attention": 33, "d4-attention": 16, "d8-attention": 37, "d16-attention": 110,
}  # fmt: skip


def paper_row(model: str) -> Printed:
    """The paper's numbers in the shape of our scores, accuracy as a share."""
    accuracy, auc, *by_class = _ROWS[model]
    f1, precision, recall = ({"FRI": fri, "FRII": frii} for fri, frii in (by_class[:2], by_class[2:4], by_class[4:]))
    return {"accuracy": round(accuracy / 100, 3), "auc": auc, "f1": f1, "precision": precision, "recall": recall}
