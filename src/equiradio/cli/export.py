"""The verb ``export``."""

from pathlib import Path

import typer


def export(
    run: Path = typer.Argument(help="A run folder.", metavar="RUN", show_default=False),
    to: str = typer.Option("onnx", "--to", help="onnx, or torch for a torch.export program."),
    out: Path = typer.Option(None, "--out", help="The file; default MODEL.onnx or MODEL.pt2 here.", show_default=False),
) -> None:
    """Write a trained network as one file that needs no equiradio: raw images in, probabilities and attention out.

    Example: equiradio export runs/c4-attention-mirabest-fast-seed0 --to onnx --out c4.onnx
    """
    from equiradio.inference.classifier import load
    from equiradio.inference.files import SUFFIXES, check_kind, write_export

    check_kind(to)
    classifier = load(run)
    path = out or Path(f"{classifier.card.model}{SUFFIXES[to]}")
    difference = write_export(classifier, path, to)
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB; opened again, probabilities within {difference:.0e} of the network's")
    if classifier.packaged:
        count = len(classifier.members)
        typer.echo(f"{path}: holds seed {classifier.card.seed} of {count} packaged ones, without their temperature and threshold", err=True)
