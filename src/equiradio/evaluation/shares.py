"""The interval of a plain share, so many of so many independent sources."""

LEVEL = 0.95


def share_interval(hits: int, sources: int) -> list[float]:
    """Exact 95 % binomial interval [low, high] of ``hits`` out of ``sources``, at least 1 (Clopper & Pearson 1934).

    It holds the truth in 95 % of cases or more however few sources there are, and has a width where all or none are hits: of 30 out of 30
    it is 0.88 to 1.
    """
    from scipy.stats import binomtest

    edges = binomtest(int(hits), int(sources)).proportion_ci(LEVEL)
    return [float(edges.low), float(edges.high)]
