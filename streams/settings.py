"""The only reader of the environment. All settings are read once, at start; every fault is named at once."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas import catalog as catalogs
from schemas.product import Product
from schemas.published import Products
from schemas.service import TOKEN_PREFIX
from schemas.yamls import CatalogError, Yaml
from streams import topics


class SettingsError(ValueError):
    """The environment does not say what it must: the message has a line for each variable at fault."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's settings; each field is the variable TRANCHE_ + its name in capitals."""

    home: Path  # data folders, logs, run.json of `tranche up`
    kafka: str  # bootstrap server, host:port
    postgres: str  # DSN, postgresql://…
    secret: str  # signs the bearer tokens of originators, investors and operators
    catalog: Path  # folder with originators.yaml and products/
    gateway_host: str
    gateway_port: int
    inbox: Path | None  # folder that a gateway watches for loan books; empty: none
    backups: str  # object store of a gateway's backups, s3://bucket/prefix or file:///folder; empty: none
    ops_host: str  # of the worker's web views
    ops_port: int
    worker: str  # this worker's name: its static membership in the consumer group
    group: str  # consumer group and prefix of the transactional ids; one a system
    session_timeout_s: float  # a silent worker's partitions move after this
    tables: str  # where a worker keeps its agents' tables, one of TABLES
    webhooks_to: str  # one of WEBHOOKS_TO; "any" lets addresses that originators give reach our own network: where receivers are in it

    def load_catalog(self, products: Products | None = None) -> catalogs.Catalog:
        """Read and check products, originators and investors; with `products`, those of the topic, no product file is read.

        Raises:
            CatalogError: names file and field.
        """
        files = {str(path): text for path, text in self.product_files()} if products is None else {}
        originators = self.catalog / "originators.yaml"
        if not originators.is_file():
            raise CatalogError(f"{originators}: there is no such file; TRANCHE_CATALOG names the folder that has it")
        investors = self.catalog / "investors.yaml"
        fees = (str(investors), investors.read_text() if investors.is_file() else "[]")
        catalog = catalogs.parse(files, (str(originators), originators.read_text()), topics.MARKETS, fees)
        return catalog if products is None else msgspec.structs.replace(catalog, products=products)

    def product_file(self, product: str) -> tuple[Path, str]:
        """The file of a product that `load_catalog` has found, and its text."""
        return next((path, text) for path, text in self.product_files() if Yaml(str(path), text).read(Product).product == product)

    def product_files(self) -> list[tuple[Path, str]]:
        """The catalog's product files and their texts."""
        return [(path, path.read_text()) for path in sorted((self.catalog / "products").glob("*.yaml"))]


DEFAULTS = {
    "home": ".tranche",
    "kafka": "127.0.0.1:19092",
    "postgres": "",
    "secret": "",
    "catalog": str(Path(catalogs.__file__).parent),
    "gateway_host": "127.0.0.1",
    "gateway_port": "8080",
    "inbox": "",
    "backups": "",
    "ops_host": "127.0.0.1",
    "ops_port": "6066",
    "worker": "worker-1",
    "group": "tranche",
    "session_timeout_s": "8",
    "tables": "memory",
    "webhooks_to": "public",
}
PORTS = ("gateway_port", "ops_port")
TABLES = ("memory", "rocksdb")
WEBHOOKS_TO = ("public", "any")


def load(environ: Mapping[str, str] | None = None, over: Mapping[str, str] | None = None) -> Settings:
    """The settings of `environ` (default: the process's environment); `over`, what a command line says, goes before it.

    Raises:
        SettingsError: with one line for every variable that is wrong or unknown.
    """
    said = {**(os.environ if environ is None else environ), **(over or {})}
    given = {k.removeprefix("TRANCHE_").lower(): v for k, v in said.items() if k.startswith("TRANCHE_")}
    faults = [
        f"TRANCHE_{name.upper()}: unknown; known are {', '.join(sorted(DEFAULTS))}" for name in sorted(given.keys() - DEFAULTS.keys())
    ]
    text = {**DEFAULTS, **given}
    faults += [f"TRANCHE_{port.upper()}: {text[port]!r} is no port (0 to 65535)" for port in PORTS if not _is_port(text[port])]
    if not _is_positive(text["session_timeout_s"]):
        faults.append(f"TRANCHE_SESSION_TIMEOUT_S: {text['session_timeout_s']!r} is no number of seconds from 6 to 300")
    if text["tables"] not in TABLES:
        faults.append(f"TRANCHE_TABLES: {text['tables']!r} is none of {', '.join(TABLES)}")
    if text["webhooks_to"] not in WEBHOOKS_TO:
        faults.append(f"TRANCHE_WEBHOOKS_TO: {text['webhooks_to']!r} is none of {', '.join(WEBHOOKS_TO)}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text["worker"]):
        faults.append(f"TRANCHE_WORKER: {text['worker']!r} names a folder: up to 100 letters, digits, dots, _ and -, the first no dot")
    if text["postgres"] and not text["postgres"].startswith(("postgresql://", "postgres://")):
        faults.append("TRANCHE_POSTGRES: must be a DSN, postgresql://user@host:port/database")
    if text["backups"] and not re.match(r"s3://[a-z0-9]|file:///", text["backups"]):
        faults.append(f"TRANCHE_BACKUPS: {text['backups']!r} is no object store: s3://bucket/prefix or file:///folder")
    if ":" not in text["kafka"]:
        faults.append(f"TRANCHE_KAFKA: {text['kafka']!r} must be host:port")
    if text["secret"] and len(text["secret"]) < 32:
        faults.append("TRANCHE_SECRET: must have at least 32 characters")
    if faults:
        raise SettingsError("\n".join(faults))
    inbox = Path(text["inbox"]).absolute() if text["inbox"] else None
    paths = {"home": Path(text["home"]).absolute(), "catalog": Path(text["catalog"]).absolute(), "inbox": inbox}
    numbers = {**{port: int(text[port]) for port in PORTS}, "session_timeout_s": float(text["session_timeout_s"])}
    return Settings(**{**text, **paths, **numbers})  # type: ignore[arg-type]


def model_tokens(products: Iterable[Product], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that can be tokens of model services, and no other: what is in them goes to somebody else.

    Raises:
        SettingsError: with one line for every one that `products` name and that is not set or cannot be sent. Its value is not told.
    """
    said = os.environ if environ is None else environ
    given = {name: value for name, value in said.items() if name.startswith(TOKEN_PREFIX)}
    named = {one.service.token: one.product for one in products if one.service and one.service.token}
    faults = [
        f"{name}: must be set: it is the token for the model service of {product}" for name, product in named.items() if not given.get(name)
    ]
    faults += [f"{name}: must be of printable ASCII, without spaces" for name in named if not re.fullmatch(r"[!-~]*", given.get(name, ""))]
    if faults:
        raise SettingsError("\n".join(faults))
    return {name: value for name, value in given.items() if re.fullmatch(r"[!-~]+", value)}


def inherited() -> dict[str, str]:
    """The rest of the environment, without our variables: what a child process gets besides its own settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRANCHE_")}


def _is_port(text: str) -> bool:
    return text.isdecimal() and int(text) <= 65535


def _is_positive(text: str) -> bool:
    try:
        return 6 <= float(text) <= 300  # the broker's own bounds for a session timeout
    except ValueError:
        return False
