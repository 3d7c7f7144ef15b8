"""Holds conversations by `websockets`; prints what it saw of each as JSON.

Arguments: the URL, and a file with the conversations: see plan.rs.
"""

import asyncio
import json
import sys

import websockets


def seen(message):
    return ["text", message] if isinstance(message, str) else ["binary", message.hex()]


async def step(socket, kind, data):
    if kind == "ping":
        await (await socket.ping(data))
        return ["pong", data]
    if kind == "fragments":
        await socket.send(iter(data))
    else:
        await socket.send(bytes.fromhex(data) if kind == "binary" else data)
    return seen(await socket.recv())


async def converse(url, conversation):
    # What is said here is in the plan, and no pings of the library's own.
    socket = await websockets.connect(url, ping_interval=None, max_size=None)
    said = [await step(socket, *one) for one in conversation["steps"]]
    kind, code, reason = conversation["end"]
    if kind == "tell":
        await socket.send(reason)
    elif code is None:
        await socket.close()
    else:
        await socket.close(code, reason)
    try:
        said.append(seen(await socket.recv()))
    except websockets.ConnectionClosed as end:
        # A closing message without a code is given as 1005.
        clean = end.rcvd is not None and end.sent is not None
        return {"said": said, "code": socket.close_code, "reason": socket.close_reason, "clean": clean}
    return {"said": said}


async def main():
    url, plan = sys.argv[1:]
    with open(plan, encoding="utf-8") as plan:
        conversations = json.load(plan)
    print(json.dumps([await converse(url, one) for one in conversations]))


asyncio.run(main())
