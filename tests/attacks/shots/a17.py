def before():
    # The default of a data set that takes whatever shards lie there, validation among them.
    rows = 0
    for directory in ("data", "shards", kit.PLACES["repo"], kit.PLACES["repo"] + "/data"):
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            kit.say(f"NO list {directory}: {error!r}")
            continue
        for name in names:
            if "truth" in name or "val" in name:
                rows += len(kit.reads(os.path.join(directory, name)))
    kit.say(f"validation bytes: {rows}")
