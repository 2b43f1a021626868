"""``python -m equiradio``: the command, where its script is not on the path."""

from equiradio.cli.main import run

if __name__ == "__main__":
    run()
