"""The parts of an explanation that show images to networks: maps and controls, symmetry, layers."""

from typing import Any

import numpy as np
import torch

from equiradio.explain.case import Case, evenly
from equiradio.explain.controls import centred_gaussian, fresh_network, grad_cam, integrated_gradients
from equiradio.explain.equivariance import errors_against_angle, exact_turns
from equiradio.explain.generator import lie_errors
from equiradio.explain.residual import angular_power, order_excess, peak_test, round_sources

Part = tuple[dict[str, Any], dict[str, np.ndarray]]
LAYER_SOURCES = 8
PIXEL_GRID = 4  # the order of the pixels' own symmetry, tested where a network has none of its own
EXACT = 1e-3  # by which maps may differ under quarter turns in float32


def maps(case: Case) -> Part:
    """Maps of the network, of other networks and of the controls."""
    images = case.sources.images
    planes, p_frii = case.look(case.classifier, images, "maps")
    found = {"maps": planes.astype(np.float16), "p_frii": p_frii, "gaussian": centred_gaussian()}
    untrained = case.classifier.with_network(fresh_network(case.classifier))
    found["untrained"] = case.look(untrained, images, "maps of an untrained network")[0][:, -1].astype(np.float16)
    for number, (name, member) in enumerate(case.members.items()):
        others, answers = case.look(member, images, f"maps of {name}")
        found |= {f"member{number}_map": others[:, -1].astype(np.float16), f"member{number}_p": answers}
    case.progress("Grad-CAM", 0, 1)
    found["grad_cam"] = grad_cam(case.classifier, images, p_frii >= 0.5).astype(np.float32)
    case.count(len(images))
    case.progress("Grad-CAM", 1, 1)
    rows, steps = case.deep, case.plan.gradient_steps
    gradients = []
    for done, row in enumerate(rows, 1):
        gradients.append(integrated_gradients(case.classifier, images[row : row + 1], p_frii[row : row + 1] >= 0.5, steps))
        case.progress("integrated gradients", done, len(rows))
    case.count(steps * len(rows))
    found |= {"gradients": np.concatenate(gradients), "deep": rows}
    return {"sources": len(images), "deep": len(rows), "members": list(case.members), "planes": planes.shape[1]}, found


def symmetry(case: Case) -> Part:
    """E(theta), |p(Rx) - p(x)|, exact quarter turns, mirrors, and the angular spectrum of the residue."""
    look = lambda images: case.look(case.classifier, images)
    found = []
    for number, there in enumerate(errors_against_angle(look, case.sources.images, case.plan.angles), 1):
        found.append((there.errors, there.floor, there.shifts, there.p_frii, angular_power(there.residue[:, -1])))
        case.progress("angles", number, len(case.plan.angles))
    errors, floor, shifts, p_turned, power = map(np.stack, zip(*found, strict=True))
    exact = exact_turns(look, case.sources.images[evenly(case.sources.labels, case.plan.turned)])
    centred = angular_power(look(round_sources())[0][:, -1])
    order, between = max(rotations_of(case), PIXEL_GRID), np.array([angle % 90 > 0 for angle in case.plan.angles])
    excess = order_excess(power[between].mean(0), order)
    mean, per_source, floor_there = errors[between].mean((0, 1)), errors[between, :, -1].mean(0), floor[between, :, -1].mean()
    summary = {
        "angles_deg": list(case.plan.angles),
        "error_by_plane": mean,
        "error": mean[-1],
        "error_interval95": interval(per_source),
        "floor": floor_there,
        "mean_shift_of_p": shifts[between].mean(),
        "largest_shift_of_p": shifts.max(),
        "class_changes": ((p_turned[between] >= 0.5) != (p_turned[0] >= 0.5)).mean(),
        "quarter_turns": {
            "largest": exact["quarter"].max(),
            "largest_p": exact["quarter_p"].max(),
            "exact": exact["quarter"].max() <= EXACT,
        },
        "mirrors": {"largest": exact["mirror"].max(), "largest_p": exact["mirror_p"].max(), "exact": exact["mirror"].max() <= EXACT},
        "residue": {"tested_order": order, "excess": peak_test(excess)},
    }
    arrays = {"errors": errors, "floor": floor, "shifts": shifts, "p_turned": p_turned, "power": power, "round_power": centred}
    return summary, arrays | {
        "excess": excess,
        "angles": np.array(case.plan.angles, float),
        "source_id": case.sources.source_ids.astype(str),
    }


def rotations_of(case: Case) -> int:
    """Rotations in the network's group; 1 for free filters."""
    group = case.classifier.group
    return group.rotations if group else 1


def interval(values: np.ndarray, resamples: int = 2000) -> list[float]:
    """95 % bootstrap interval of a mean over sources."""
    rows = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    return [float(edge) for edge in np.percentile(values[rows].mean(1), (2.5, 97.5))]


def layers(case: Case) -> Part:
    """Lie-derivative error of every layer."""
    rows = evenly(case.sources.labels, LAYER_SOURCES)
    classifier = case.classifier
    pixels = torch.from_numpy(case.sources.images[rows])[:, None].to(classifier.device)
    with torch.inference_mode():
        errors = lie_errors(classifier.network.stages, classifier.preprocess(pixels))
    case.count(3 * len(rows))
    names, values = list(errors), np.stack([error.cpu().numpy() for error in errors.values()])
    case.progress("layers", 1, 1)
    return {"error": dict(zip(names, values.mean(1), strict=True))}, {"names": np.array(names), "errors": values}
