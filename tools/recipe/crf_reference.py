"""A linear-chain CRF in plain float64 NumPy: Viterbi, log-partition, marginals, with or without BIO constraints.

Written for clarity: it is what the fixtures' expected numbers come from. Constraints remove forbidden starts and transitions
(their score is -inf), in the partition as well as in the path.
"""

import numpy as np


def logsumexp(x, axis):
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.squeeze(top, axis) + np.log(np.sum(np.exp(x - top), axis=axis))


def constrain(start, end, transitions, labels):
    """Copies in which I-X may only follow B-X or I-X, and never starts; -inf elsewhere."""
    start, transitions = np.array(start, np.float64), np.array(transitions, np.float64)
    for to, name in enumerate(labels):
        if name.startswith("I-"):
            start[to] = -np.inf
            for source, before in enumerate(labels):
                if before not in ("B-" + name[2:], name):
                    transitions[source, to] = -np.inf
    return start, np.array(end, np.float64), transitions


def viterbi(emissions, start, end, transitions):
    """Best path (the lowest label wins a tie) and its score."""
    emissions = np.asarray(emissions, np.float64)
    score, back = start + emissions[0], []
    for row in emissions[1:]:
        table = score[:, None] + transitions
        back.append(np.argmax(table, 0))
        score = np.max(table, 0) + row
    score = score + end
    path = [int(np.argmax(score))]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    return path[::-1], float(np.max(score))


def forward_backward(emissions, start, end, transitions):
    """log Z and the [tokens, labels] posterior marginals."""
    emissions = np.asarray(emissions, np.float64)
    forward = [start + emissions[0]]
    for row in emissions[1:]:
        forward.append(logsumexp(forward[-1][:, None] + transitions, 0) + row)
    backward = [np.asarray(end, np.float64)]
    for row in emissions[:0:-1]:
        backward.append(logsumexp(transitions + (row + backward[-1])[None, :], 1))
    log_z = float(logsumexp(forward[-1] + end, 0))
    return log_z, np.exp(np.array(forward) + np.array(backward[::-1]) - log_z)
