"""python -m sandbox --port 0 --seed 7 --port-file PATH"""

import argparse
import socket
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from sandbox.app import Options, build


def main() -> None:
    args = _arguments()
    listener = listen(args.port)
    port = listener.getsockname()[1]
    base_url = f"http://127.0.0.1:{port}"
    app = build(Options(base_url, args.seed, args.now, args.dexcom_delay_min))
    if args.port_file:
        args.port_file.write_text(str(port))
    print(f"sandbox: {base_url}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def listen(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named, and create_server leaves it 0: 40 ms a call.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The providers' clouds, faked.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port here")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--now", type=_instant, help="freeze the lives' clock at this ISO instant")
    parser.add_argument("--dexcom-delay-min", type=int, default=0, help="minutes until a reading is uploaded")
    return parser.parse_args()


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
