"""Ports and HTTP on this machine's loopback address."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request
from collections.abc import Collection
from typing import Any

from firth.errors import FirthError
from firth.pipeline.waiting import say

HOST = "127.0.0.1"


def ask(address: str, body: Any = None, seconds: float = 5.0) -> Any:
    """What `address` answers (JSON as a value, else the text); a `body` is posted as JSON.

    None: no good answer, or none within `seconds`.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names
    try:
        with straight.open(request, timeout=seconds) as answer:
            text: str = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def choose_port(name: str, given: int | None, usual: int, taken: Collection[int] = ()) -> int:
    """A free port for `name`: the given one, or `FirthError`; else the usual one, or (said) the next free one."""
    if given is not None:
        if given in taken or not is_free(given):
            raise FirthError(f"port {given} for {name} is in use on {HOST}; give another, or none to have one chosen")
        return given
    chosen = next((port for port in range(usual, usual + 100) if port not in taken and is_free(port)), None)
    if chosen is None:
        raise FirthError(f"no port from {usual} to {usual + 99} is free on {HOST} for {name}")
    if chosen != usual:
        say(f"port {usual} is in use by something else: {name} gets {chosen}")
    return chosen


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
