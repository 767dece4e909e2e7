"""A model service that answers wrongly, as it is told."""

import asyncio
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from streams.embedded.ports import free_port


class Babbler:
    """A service that answers as `wrong` says; nothing: well."""

    def __init__(self):
        self.wrong, self.asked = "", 0
        self.port = free_port()

    async def predict(self, request):
        self.asked += 1
        asked = [one["id"] for one in (await request.json())["assets"]]
        answers = [{"id": one, "score": 7, "risk_group": "B"} for one in asked]
        if self.wrong == "twice":
            answers.append(answers[0])
        elif self.wrong == "missing":
            answers.pop()
        elif self.wrong == "foreign":
            answers.append({**answers[0], "id": "harbor/X/1"})
        elif self.wrong == "group":
            answers[0]["risk_group"] = "Z"
        elif self.wrong == "bounds":
            answers[0]["score"] = 10**16
        return JSONResponse({"model": "acme/2", "assets": answers}, 500 if self.wrong == "status" else 200)

    @asynccontextmanager
    async def serving(self):
        config = uvicorn.Config(Starlette(routes=[Route("/p", self.predict, methods=["POST"])]), port=self.port, log_config=None)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        task = asyncio.create_task(server.serve())
        yield
        server.should_exit = True
        await task


WRONG = {
    "twice": "answered twice",
    "missing": "not answered",
    "foreign": "harbor/X/1: not asked about",
    "group": "risk_group 'Z' is none of",
    "bounds": "score",
    "status": "answered 500",
}
