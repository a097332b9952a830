import sys


def after():
    payloads = [
        "\x1b]52;c;dGQtY2xpcA==\x07td-clip",
        "\x1b]0;td-title\x07",
        "\x1b]2;td-window\x1b\\",
        "\x1b]8;;http://127.0.0.1/td-link\x1b\\td-text\x1b]8;;\x1b\\",
        "\x1bP1;1|td-dcs\x1b\\",
        "\x1b_td-apc\x1b\\",
        "\x1b[2J\x1b[Htd-clear",
        "\x1b[999;999Htd-move",
        "\x1b[?1049htd-screen",
        "\x1b[?25ltd-hidden",
        "\x1b[31;45;7mtd-colour",
        "\x1b[6ntd-report",
        "\x1bctd-reset",
        "\x9d0;td-c1\x9c",
        "td-bidi \u202eevil\u202c \u2066x\u2069",
        "td-zero \u200bwidth\u200d\ufeff",
        "td-over\rtd-written",
        "td-bell\x07\x08\x08\x7f",
        "step 1 train_mse \x1b]0;td-metric\x07",
        "\x1b[31mtd-name\x1b[0m: 0.5",
    ]
    for text in payloads:
        sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.write(b"\xff\xfe\x9btd-bytes\n")
    sys.stdout.buffer.flush()
    with open("td-\x1b]0;td-file\x07.csv", "w") as file:
        file.write("step,\x1b]0;td-column\x07\n1,2\n")
