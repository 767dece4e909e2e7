"""`tranche restart`: an operator has the gateway send a batch through again."""

from typing import Any, Final
from urllib.parse import quote

import click

from streams import settings as settings_module
from streams.embedded.errors import UserError
from streams.running import HOME
from streams.tokens import issue

CONNECT_S: Final = 10
ANSWER_S: Final = 3600  # it comes when the broker has the whole batch


@click.command()
@click.argument("batch")
@click.option("--drop", is_flag=True, help="Before that, undo what the batch did, by a newer version of each asset; later batches' stay.")
@HOME
def restart(batch: str, drop: bool, home: str | None) -> None:
    """Send a finished batch through again, from its backup, as a new batch. What is in already comes out unchanged."""
    url, secret = _gateway(home)
    answer = _post(
        f"{url}/batches/{quote(batch, safe='')}/restart", {"drop": str(drop).lower()}, issue(secret, "operator", "tranche-restart")
    )
    dropped = answer["dropped"]
    if dropped:
        undone = f"{dropped['restored']:,} assets are as before it, {dropped['recalled']:,} recalled, {dropped['kept']:,} left alone"
        click.echo(f"{batch}: {undone}" + (f"; by {dropped['batch']}" if dropped["batch"] else ""))
    click.echo(f"{batch}: {answer['documents']:,} documents are sent again as {answer['batch']}; `tranche batches` shows how far they are")


def _gateway(home: str | None) -> tuple[str, str]:
    """URL and secret of the system that is up in this home, or those of the environment.

    Raises:
        UserError: there is no secret.
    """
    from streams.embedded import runfile  # noqa: PLC0415 - help is instant

    settings = settings_module.load(over={"TRANCHE_HOME": home} if home else {})
    run = runfile.running(settings.home)
    if run and run.ready:
        return run.gateway_url, run.secret
    if not settings.secret:
        raise UserError(f"nothing runs in {settings.home}, and TRANCHE_SECRET, which signs tokens, is not set; try `tranche up`")
    return f"http://{settings.gateway_host}:{settings.gateway_port}", settings.secret


def _post(url: str, query: dict[str, str], token: str) -> dict[str, Any]:
    """The gateway's answer.

    Raises:
        UserError: it does not answer, or refuses.
    """
    import httpx  # noqa: PLC0415 - help is instant

    try:
        answer = httpx.post(
            url,
            params=query,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(CONNECT_S, read=ANSWER_S),
            trust_env=False,
        )
        body: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as fault:
        raise UserError(f"the gateway at {url} does not answer ({type(fault).__name__}: {fault}); see `tranche status`") from fault
    if answer.status_code != httpx.codes.ACCEPTED:
        raise UserError(f"{body.get('title', answer.status_code)}: {body.get('detail', answer.text)}")
    return body
