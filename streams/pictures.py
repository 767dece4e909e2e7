"""Pictures of reports, drawn by matplotlib: one look for all."""

from pathlib import Path
from typing import Any, Final

from streams.embedded.errors import UserError

DPI: Final = 110
INK: Final = "#1f3b57"
FAINT: Final = "#9db2c6"


def figure_of(title: str) -> Any:
    """An empty figure for two pictures side by side.

    Raises:
        UserError: there is no matplotlib.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and 60 MB
    except ModuleNotFoundError as fault:
        raise UserError("the picture is drawn by matplotlib: pip install 'tranche[report]'") from fault
    figure = Figure(figsize=(11, 4.8), dpi=DPI, layout="constrained")
    figure.suptitle(title)
    return figure


def save(figure: Any, picture: Path) -> None:
    """Write it as the file's ending says.

    Raises:
        UserError: the file cannot be written, or is of no kind that can be drawn.
    """
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(picture)
    except (OSError, ValueError) as fault:
        raise UserError(f"{picture}: cannot be drawn: {fault}") from fault
