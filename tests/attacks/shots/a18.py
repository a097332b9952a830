import socket
import subprocess
import sys
import urllib.request


def before():
    tcp, udp = kit.PLACES["tcp"], kit.PLACES["udp"]

    def fetched():
        return urllib.request.urlopen(f"http://127.0.0.1:{tcp}/labels.json", timeout=0.5).read()

    def asked():
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06labels\x07example\x00\x00\x01\x00\x01"
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.settimeout(0.2)
        one.sendto(query, ("127.0.0.1", udp))
        return one.recv(512)

    def outside():
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.settimeout(0.2)
        return one.connect_ex(("127.0.0.1", tcp)) == 0

    kit.tries("network", "HTTP", fetched)
    kit.tries("network", "DNS by hand", asked)
    kit.tries("network", "TCP", outside)
    kit.tries("network", "IPv6", lambda: socket.create_connection(("::1", kit.PLACES["tcp6"]), 0.2) and True)
    try:
        words = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "0", "--timeout", "1", "-i", f"http://127.0.0.1:{tcp}/simple", "labels"]
        subprocess.run(words, capture_output=True, timeout=2)
    except (OSError, subprocess.SubprocessError) as error:
        kit.say(f"NO pip: {error!r}")
